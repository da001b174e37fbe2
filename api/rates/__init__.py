"""Rate limits: token buckets that all workers share through Redis.

`settings` sizes them, `buckets` reckons them and holds those of this process, `shared` those of all
(`token_bucket.lua`), `gateway_rates` chooses between both, and `addresses` says whose a bucket is
when nobody is signed in.
"""
