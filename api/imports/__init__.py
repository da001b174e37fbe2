"""Importing products, purchases and members from CSV and Parquet files; exporting members.

commands          the command line's part
member_commands   the same, for members
running           what the commands have in common
product_import    a file of products, row by row
purchase_import   a file of purchases: staged, then recorded order by order
member_import     a file of members: staged, then brought some hundreds at a time
member_export     all members as such a file
reading           CSV and Parquet as rows of text
mapping           which column is which field
values            texts as exact numbers and moments
purchase_rows     one row as a line of an order, or why it is none
staging           lines put together into orders
member_rows       one row as what it says of a member, or why it cannot be read
member_staging    rows put together into members
rejects           rows that were not imported, with their reasons
progress          what a running import tells
"""
