"""From episodes to verdicts: the results' Parquet files, statistics, tables, figures, claims and the report.

Each step reads what the one before it wrote, and the same Parquet gives the same bytes:
aggregate.build -> tables.build, figures.build, claims.build -> report.build.
"""
