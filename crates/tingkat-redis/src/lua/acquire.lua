-- KEYS[1] cell; ARGV[1] the refused head, '' for none; ARGV[2] lease; ARGV[3] its life in ms.
-- Answers '' when the lease was written, else the present cell.
local head = redis.pcall('GETRANGE', KEYS[1], 0, 16)
local foreign = false
if type(head) == 'table' then
  -- What holds no string is another program's, and goes; any other error is one.
  foreign = string.find(head.err, 'WRONGTYPE', 1, true)
  if not foreign then return head end
end
-- What looks like a lease or an error marker and never ends is nobody's.
local function endless()
  local kind = string.sub(head, 1, 1)
  return (kind == 'L' or kind == 'E') and redis.call('PTTL', KEYS[1]) == -1
end
if foreign or head == '' or head == ARGV[1] or endless() then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return ''
end
return redis.call('GET', KEYS[1])
