-- KEYS[1] cell; ARGV[1] the refused head, '' for none; ARGV[2] lease; ARGV[3] its life in ms.
-- Answers '' when the lease was written, else the present cell.
local head = redis.pcall('GETRANGE', KEYS[1], 0, 16)
if type(head) == 'table' or head == '' or head == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return ''
end
return redis.call('GET', KEYS[1])
