"""Importing products and purchases from CSV and Parquet files.

commands          the command line's part
product_import    a file of products, row by row
purchase_import   a file of purchases: staged, then recorded order by order
reading           CSV and Parquet as rows of text
mapping           which column is which field
values            texts as exact numbers and moments
purchase_rows     one row as a line of an order, or why it is none
staging           lines put together into orders
rejects           rows that were not imported, with their reasons
progress          what a running import tells
"""
