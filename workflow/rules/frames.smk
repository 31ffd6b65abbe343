# Figure 3 is drawn from trained policies, not from their evaluations: a clone without checkpoints keeps git's.
rule frames:
    input:
        lambda wildcards: [ancient(path) for path in FILMED],
    output:
        report(
            directory("artifacts/{profile}/frames"),
            patterns=["{frame}.png"],
            caption="../report/frames.rst",
            category="Figures",
        ),
    log:
        "logs/{profile}/frames.log",
    resources:
        mem_mb=4000,
    shell:
        "gpae frames --profile {wildcards.profile} &> {log}"


rule drawn:
    input:
        f"artifacts/{PROFILE}/frames",
