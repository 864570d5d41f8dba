"""The Kusto Query Language over in-memory tables.

`evaluate.run` parses (`grammar.lark`, `parse`), compiles expressions into closures that are typed as Kusto types them
(`expressions`), and applies one tabular operator after another (`tabular`). It refuses what Kusto refuses, and names
it. It also refuses what it does not know.
"""
