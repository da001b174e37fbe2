"""The public probes of GraphQL and web servers as tests of ours, against a gateway in production
mode behind its real HTTP server. What each probe would report on a vulnerable server is a finding.
"""
