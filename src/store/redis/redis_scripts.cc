// Lua 5.1 as Redis 6.2 to 8 and Valkey have it. Numbers are doubles there: positions, terms and
// sequences stay below 2^53 (redis_store.h), and are written by '%.0f', never by tostring. The
// first thing that each script writes is a command that a full server refuses, so that nothing is
// done by halves.
#include "src/store/redis/redis_scripts.h"

namespace mimi::internal {
namespace {

// KEYS pair feed terms writers schemas tables; ARGV run_id, a new incarnation, '1' to make what is
// not there. {'ok', kFacts…} or {'absent'} or {'format', seen}.
constexpr std::string_view kHelloText = R"lua(
local have = redis.call('HMGET', KEYS[1], 'format', 'server', 'counter')
if not have[1] then
  if ARGV[3] ~= '1' then return {'absent'} end
  redis.call('HSET', KEYS[1], 'format', '1', 'incarnation', ARGV[2], 'server', ARGV[1],
             'counter', '0', 'term', '0', 'claimant', '0', 'mode', '0', 'highest', '0',
             'head', '0', 'trimmed', '0', 'bytes', '0', 'trimmed_bytes', '0',
             'gen', '0', 'building', '0', 'position', '0')
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
elseif have[1] ~= '1' then
  return {'format', have[1]}
elseif have[2] ~= ARGV[1] then
  -- Another process: what the last one acknowledged last may be missing here, terms among it.
  redis.call('HSET', KEYS[1], 'incarnation', ARGV[2], 'server', ARGV[1],
             'counter', string.format('%.0f', tonumber(have[3]) + 1048576))
end
local facts = redis.call('HMGET', KEYS[1], 'incarnation', 'head', 'trimmed', 'bytes', 'trimmed_bytes',
                         'gen', 'position', 'counter', 'term', 'claimant', 'mode')
return {'ok', unpack(facts)}
)lua";

// KEYS pair feed terms writers; ARGV incarnation, 'table:origin', term, first sequence, count, '1'
// for the control table, the highest term in any record, the batch. Rules: store.h,
// src/state/fence.h. {'stored' or 'had', head} or {'gone'}, {'fenced', term}, {'unknown', counter},
// {'control'}, {'gap', expected}.
constexpr std::string_view kApplyText = R"lua(
local pair = redis.call('HMGET', KEYS[1], 'incarnation', 'head', 'term', 'mode', 'counter', 'bytes', 'highest')
if pair[1] ~= ARGV[1] then return {'gone'} end
local term, first, count = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local newest = tonumber(pair[3])
local exclusive = newest ~= 0 and pair[4] == '0'
if not (exclusive and term == newest) then
  if ARGV[6] == '0' and exclusive and term < newest then return {'fenced', pair[3]} end
  local claim = redis.call('ZRANGEBYSCORE', KEYS[3], ARGV[3], ARGV[3])[1]
  if not claim then return {'unknown', pair[5]} end
  if ARGV[6] == '0' and string.match(claim, '^%d+ (%d)') == '2' then return {'control'} end
end
local known
local kept = {string.format('%.0f %.0f', term, first + count)}
for t, n in string.gmatch(redis.call('HGET', KEYS[4], ARGV[2]) or '', '(%d+) (%d+)') do
  if tonumber(t) == term then
    known = tonumber(n)
  elseif ARGV[6] == '0' and tonumber(t) > term then
    return {'fenced', t}
  elseif #kept < 16 then
    kept[#kept + 1] = t .. ' ' .. n
  end
end
if known and first ~= known then
  if first < known and first + count <= known then return {'had', pair[2]} end
  return {'gap', string.format('%.0f', known)}
end
local head = string.format('%.0f', tonumber(pair[2]) + math.max(count, 1))
redis.call('XADD', KEYS[2], head .. '-0', 'b', ARGV[8])
redis.call('HSET', KEYS[4], ARGV[2], table.concat(kept, ' '))
redis.call('HSET', KEYS[1], 'head', head, 'bytes', string.format('%.0f', tonumber(pair[6]) + #ARGV[8]))
if tonumber(ARGV[7]) > tonumber(pair[7]) then redis.call('HSET', KEYS[1], 'highest', ARGV[7]) end
return {'stored', head}
)lua";

// KEYS pair terms; ARGV incarnation, origin, mode, floor, the expected newest term or ''.
// {'claimed', term, head} or {'gone'}, {'other', newest term}, {'high'}.
constexpr std::string_view kClaimText = R"lua(
local pair = redis.call('HMGET', KEYS[1], 'incarnation', 'counter', 'term', 'highest', 'head')
if pair[1] ~= ARGV[1] then return {'gone'} end
if ARGV[5] ~= '' and tonumber(ARGV[5]) ~= tonumber(pair[3]) then return {'other', pair[3]} end
local number = math.max(tonumber(pair[2]), tonumber(pair[4]), tonumber(ARGV[4])) + 1
if number >= 9007199254740992 then return {'high'} end
local term = string.format('%.0f', number)
redis.call('ZADD', KEYS[2], term, term .. ' ' .. ARGV[3] .. ' ' .. ARGV[2])
if redis.call('ZCARD', KEYS[2]) > 65536 then redis.call('ZREMRANGEBYRANK', KEYS[2], 0, 32767) end
redis.call('HSET', KEYS[1], 'counter', term)
if ARGV[3] ~= '2' then redis.call('HSET', KEYS[1], 'term', term, 'claimant', ARGV[2], 'mode', ARGV[3]) end
return {'claimed', term, pair[5]}
)lua";

// KEYS pair schemas; ARGV incarnation, table's name, the schema that must be there or '', the new
// one. {'opened'} or {'gone'}, {'other', what is there}.
constexpr std::string_view kOpenText = R"lua(
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then return {'gone'} end
local there = redis.call('HGET', KEYS[2], ARGV[2]) or ''
if there ~= ARGV[3] then return {'other', there} end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
return {'opened'}
)lua";

// KEYS pair schemas; ARGV incarnation, token, lease in ms, the generation held or '0', prefix of
// the tables' keys. {'kept', generation} or {'gone'}, {'held'}. A new keeper writes a generation of
// its own, beside the committed one.
constexpr std::string_view kKeepText = R"lua(
local pair = redis.call('HMGET', KEYS[1], 'incarnation', 'keeper', 'keeper_until', 'gen', 'building')
if pair[1] ~= ARGV[1] then return {'gone'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ours = pair[2] == ARGV[2]
if pair[2] and not ours and tonumber(pair[3]) > now then return {'held'} end
local lasts = string.format('%.0f', now + tonumber(ARGV[3]))
if ours and ARGV[4] == pair[5] then
  redis.call('HSET', KEYS[1], 'keeper_until', lasts)
  return {'kept', pair[5]}
end
local next = string.format('%.0f', math.max(tonumber(pair[4]), tonumber(pair[5])) + 1)
redis.call('HSET', KEYS[1], 'keeper', ARGV[2], 'keeper_until', lasts, 'building', next)
for _, name in ipairs(redis.call('HKEYS', KEYS[2])) do
  redis.call('UNLINK', ARGV[5] .. name .. ':' .. next)
  if pair[5] ~= pair[4] then redis.call('UNLINK', ARGV[5] .. name .. ':' .. pair[5]) end
  -- A commit that ended halfway, in a Cluster that moved the slot, has left it.
  redis.call('UNLINK', ARGV[5] .. name .. ':' .. string.format('%.0f', math.max(tonumber(pair[4]) - 1, 0)))
end
return {'kept', next}
)lua";

// KEYS pair, a table's key; ARGV incarnation, token, generation, lease in ms, then field and value,
// '' to remove it. {'put'} or {'gone'}, {'lost'}.
constexpr std::string_view kPutText = R"lua(
local pair = redis.call('HMGET', KEYS[1], 'incarnation', 'keeper', 'building')
if pair[1] ~= ARGV[1] then return {'gone'} end
if pair[2] ~= ARGV[2] or pair[3] ~= ARGV[3] then return {'lost'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'keeper_until', string.format('%.0f', now + tonumber(ARGV[4])))
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
return {'put'}
)lua";

// KEYS pair feed schemas tables; ARGV incarnation, token, generation, position, trimmed, trimmed
// bytes, prefix of the tables' keys, then a table's name and summary, …. {'committed'} or {'gone'},
// {'lost'}.
constexpr std::string_view kCommitText = R"lua(
local pair = redis.call('HMGET', KEYS[1], 'incarnation', 'keeper', 'building', 'gen', 'trimmed')
if pair[1] ~= ARGV[1] then return {'gone'} end
if pair[2] ~= ARGV[2] or pair[3] ~= ARGV[3] then return {'lost'} end
redis.call('HSET', KEYS[1], 'gen', ARGV[3], 'position', ARGV[4])
for i = 8, #ARGV, 2 do redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1]) end
if pair[4] ~= ARGV[3] then
  for _, name in ipairs(redis.call('HKEYS', KEYS[3])) do
    redis.call('UNLINK', ARGV[7] .. name .. ':' .. pair[4])
  end
end
if tonumber(ARGV[5]) > tonumber(pair[5]) then
  redis.call('HSET', KEYS[1], 'trimmed', ARGV[5], 'trimmed_bytes', ARGV[6])
  redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f-0', tonumber(ARGV[5]) + 1))
end
return {'committed'}
)lua";

// KEYS a lease; ARGV 'acquire', 'renew' or 'release', owner, ms.
// {'granted', term} or {'held', owner, ms left}, {'over'}, {'released'}.
constexpr std::string_view kLeaseText = R"lua(
local lease = redis.call('HMGET', KEYS[1], 'owner', 'term', 'until')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left = tonumber(lease[3] or 0) - now
local ours = lease[1] == ARGV[2]
if ARGV[1] == 'release' then
  if ours then redis.call('HSET', KEYS[1], 'until', '0') end
  return {'released'}
end
if ARGV[1] == 'renew' and left <= 0 then return {'over'} end
if left > 0 and not ours then return {'held', lease[1], string.format('%.0f', left)} end
local term = tonumber(lease[2] or 0)
if left <= 0 then term = term + 1 end
local text = string.format('%.0f', term)
redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'term', text, 'until', string.format('%.0f', now + tonumber(ARGV[3])))
return {'granted', text}
)lua";

constexpr std::array<std::string_view, kScripts> kTexts = {
    kHelloText, kApplyText, kClaimText, kOpenText, kKeepText, kPutText, kCommitText, kLeaseText};

}  // namespace

std::string_view ScriptText(Script script) {
  return kTexts[static_cast<std::size_t>(script)];
}

}  // namespace mimi::internal
