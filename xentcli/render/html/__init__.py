"""A report as one page that needs no script and no network: records become sections, sections become HTML.

What lives here sees records and other renderers' sentences and tables; jinja2 is imported by nothing else.
"""
