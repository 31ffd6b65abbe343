# From evaluations and metrics to the report: seconds, and the same bytes from the same files.
# Labels, titles and claims come from params/, so that a change there makes these again.


rule aggregate:
    input:
        EVALUATIONS,
        METRICS,
    output:
        scores="artifacts/{profile}/scores.parquet",
        summary="artifacts/{profile}/summary.parquet",
        diagnostics="artifacts/{profile}/diagnostics.parquet",
    log:
        "logs/{profile}/aggregate.log",
    shell:
        "gpae aggregate --profile {wildcards.profile} &> {log}"


rule tables:
    input:
        PARAMETERS,
        rules.aggregate.output,
    output:
        report(
            directory("artifacts/{profile}/tables"),
            patterns=["{table}.csv"],
            caption="../report/tables.rst",
            category="Tables",
        ),
    log:
        "logs/{profile}/tables.log",
    shell:
        "gpae tables --profile {wildcards.profile} &> {log}"


rule plot:
    input:
        PARAMETERS,
        rules.aggregate.output,
    output:
        report(
            directory("artifacts/{profile}/figures"),
            patterns=["{figure}.png"],
            caption="../report/figures.rst",
            category="Figures",
        ),
    log:
        "logs/{profile}/plot.log",
    shell:
        "gpae plot --profile {wildcards.profile} &> {log}"


rule verify:
    input:
        PARAMETERS,
        BENCHMARKS,
        rules.aggregate.output,
    output:
        report(
            expand(
                "artifacts/{{profile}}/{name}.csv",
                name=["verdicts", "verdicts-text"],
            ),
            caption="../report/verdicts.rst",
            category="Verdicts",
        ),
    log:
        "logs/{profile}/verify.log",
    shell:
        "gpae verify --profile {wildcards.profile} &> {log}"


rule report:
    input:
        PARAMETERS,
        rules.aggregate.output,
        rules.tables.output,
        rules.plot.output,
        rules.verify.output,
        "artifacts/{profile}/frames" if TRAINING or Path(f"artifacts/{PROFILE}/frames").exists() else [],
    output:
        directory("artifacts/{profile}/report"),
        "artifacts/{profile}/ro-crate-metadata.json",
    log:
        "logs/{profile}/report.log",
    shell:
        "gpae report --profile {wildcards.profile} &> {log}"
