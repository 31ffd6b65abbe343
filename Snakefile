# From params/ to the report: a rule is a step and runs one command of `gpae`.
#
#   snakemake --cores all                               the profile of params/default.yaml
#   snakemake --cores all --config profile=paper        another
#   snakemake --cores all --config jobs=finished        results of the evaluations that are there; trains nothing
#
# A job's files lie under a hash of the parameters they were made from (src/gpae/plan.py): a changed parameter is a
# file that is not there yet, and nothing else is run again, whatever the time stamps and without a record of earlier
# runs. A change in src/ does not train again: every result names the commit that made it, and whoever wants it made by
# another removes it.

container: "container/gpae.sif"  # taken with --sdm apptainer alone


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/results.smk"


rule all:
    default_target: True
    input:
        f"artifacts/{PROFILE}/report",


if TRAINING:

    include: "workflow/rules/train.smk"
    include: "workflow/rules/evaluate.smk"
    include: "workflow/rules/frames.smk"
