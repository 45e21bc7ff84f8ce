-- KEYS[1] cell; ARGV[1] the expected head; ARGV[2] the new life in ms.
local head = redis.pcall('GETRANGE', KEYS[1], 0, 16)
if head == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if type(head) == 'table' and not string.find(head.err, 'WRONGTYPE', 1, true) then
  return head
end
return 0
