# An interrupted training keeps what it needs beside these outputs (Job.unfinished), so that snakemake, which removes
# the outputs of a failed job, leaves it alone; a retry, or the next run, goes on from there. By `exec` the job's own
# process is the training, so that whoever signals the job reaches it and waits until it has saved its state.
rule train:
    output:
        checkpoints=directory("artifacts/{profile}/checkpoints/{method}/{task}/{block}"),
        metrics="artifacts/{profile}/metrics/{method}/{task}/{block}.parquet",
    log:
        "logs/{profile}/train/{method}/{task}/{block}.log",
    params:
        job=lambda wildcards: trained(wildcards).selector,
    threads: lambda wildcards: trained(wildcards).cores
    resources:
        gpu=GPUS,
        mem_mb=4000,
    retries: 2 if workflow.is_main_process else 0  # on a node, whoever sent the job there tries again
    shell:
        "exec gpae train {params.job} --threads {threads} &> {log}"


# What a method's part of the plan makes, all of it: --config method=...
rule jobs:
    input:
        [
            path
            for job in JOBS
            if job.method_name == config.get("method", job.method_name)
            for path in (job.checkpoints, job.metrics, job.evaluation)
        ],
