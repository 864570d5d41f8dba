"""The report as one HTML file: a template, a style sheet and a script, all put into it, and the data beside them."""
