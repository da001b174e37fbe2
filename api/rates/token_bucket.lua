-- Takes out of several token buckets at once, or out of none.
--
-- KEYS: the buckets. ARGV, four for each: the units it holds at most, the units it gets per
-- microsecond, the units wanted out of it, the units put back before (negative: taken in any case).
-- A bucket is kept as "level moment", in units and in microseconds of this server's clock, for as
-- long as it is not full. Answers the microseconds to wait (0: all was taken), which bucket is short
-- (from 1), and each level.
--
-- All numbers are whole and below 2^53, up to which Lua's doubles are exact.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local levels, wait, short = {}, 0, 1

for i, key in ipairs(KEYS) do
  local full, rate = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2])
  local wanted, back = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
  local level = full
  local held = redis.call('GET', key)
  if held then
    local kept, at = string.match(held, '^(%d+) (%d+)$')
    if kept then
      level = math.min(tonumber(kept) + math.max(now - tonumber(at), 0) * rate, full)
    end
  end
  level = math.max(math.min(level + back, full), 0)
  levels[i] = level
  local missing = math.ceil((wanted - level) / rate)
  if missing > wait then
    wait, short = missing, i
  end
end

local answer = {wait, short}
for i, key in ipairs(KEYS) do
  local full, rate = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2])
  local level = levels[i]
  if wait == 0 then
    level = level - tonumber(ARGV[4 * i - 1])
  end
  if level < full then
    local full_in_ms = math.ceil((full - level) / rate / 1000)
    redis.call('SET', key, string.format('%.0f %.0f', level, now), 'PX', full_in_ms)
  else
    redis.call('DEL', key)
  end
  answer[i + 2] = level
end
return answer
