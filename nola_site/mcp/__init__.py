"""The Model Context Protocol: tools, resources and a prompt over the memory, by standard input and output and by HTTP.

What is imported to answer the first line needs no Django; what reads and writes the memory is loaded after it.
"""
