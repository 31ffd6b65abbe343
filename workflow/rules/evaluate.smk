# The inputs' names hold what they were made from; their time stamps, which a clone sets anew, say nothing.
rule evaluate:
    input:
        checkpoints=lambda wildcards: ancient(evaluated(wildcards).checkpoints.as_posix()),
        metrics=lambda wildcards: ancient(evaluated(wildcards).metrics.as_posix()),
    output:
        "artifacts/{profile}/evaluations/{method}/{task}/{block}.parquet",
    log:
        "logs/{profile}/evaluate/{method}/{task}/{block}.log",
    params:
        job=lambda wildcards: evaluated(wildcards).selector,
    threads: lambda wildcards: evaluated(wildcards).cores
    resources:
        gpu=GPUS,
        mem_mb=4000,
    shell:
        "gpae evaluate {params.job} &> {log}"
