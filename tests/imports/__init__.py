"""Tests of importing files, through the commands and below them."""
