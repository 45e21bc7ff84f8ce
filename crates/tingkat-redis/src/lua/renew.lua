-- KEYS[1] cell; ARGV[1] the expected head; ARGV[2] the new life in ms.
if redis.call('GETRANGE', KEYS[1], 0, 16) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
