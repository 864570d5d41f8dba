"""The Kusto Query Language over in-memory tables.

`evaluate.run` parses (`grammar.lark`, `parse`), compiles expressions into closures that are typed as Kusto types them
(`expressions`), and applies one tabular operator after another (`tabular`). What Kusto refuses is refused, with the
thing named; what is not known here is refused too.
"""
