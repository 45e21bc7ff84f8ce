-- KEYS[1] cell; ARGV[1] the expected head; ARGV[2] the new cell; ARGV[3] its life in ms.
if redis.call('GETRANGE', KEYS[1], 0, 16) == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return 0
