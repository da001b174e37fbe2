"""The report on models of recommendations: how good each version is, as one page with charts.

The page needs nothing beside itself: charts are drawn by matplotlib and stand in it as SVG.
"""
