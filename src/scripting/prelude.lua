-- The sandbox of scripts, run once for each interpreter. It is the only code that sees Lua's own globals;
-- scripts have the globals made here.
--
-- `native` has the functions written in Rust, and the libraries made of them.
local native = ...
local collectgarbage, error, getmetatable, pairs, pcall, rawget = collectgarbage, error, getmetatable, pairs, pcall, rawget
local rawset, setmetatable, tonumber, tostring, type, next = rawset, setmetatable, tonumber, tostring, type, next
local unpack, xpcall, newproxy = unpack, xpcall, newproxy
local convert, compile, is_stopped = native.convert, native.compile, native.is_stopped
local strip = string.gsub
local READONLY = "Attempt to modify a readonly table"

-- Stand-ins of tables that scripts must not change, each with its table. A stand-in is userdata: no function of
-- Lua can write to it, while a table as a stand-in could be written to by rawset, table.insert and others.
local protected = {}

local function refuse()
  error(READONLY, 2)
end

local function protect(real)
  local proxy = newproxy(true)
  local meta = getmetatable(proxy)
  meta.__index = real
  meta.__newindex = refuse
  meta.__metatable = false
  protected[proxy] = real
  return proxy
end

local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

-- An environment of functions: no field of its own, so that each access and assignment is seen.
local function environment(globals)
  return setmetatable({}, { __index = globals, __newindex = refuse })
end

local function copy(from)
  local to = {}
  for name, value in pairs(from) do
    to[name] = value
  end
  return to
end

-- Errors raised in Rust are userdata that only Rust can read. Those of Lua's own functions that are called from
-- here name lines of this text.
local function caught(e)
  if type(e) == "userdata" then
    return convert(e)
  elseif type(e) == "string" then
    return (strip(e, "^sandbox:%d+: ", ""))
  end
  return e
end

-- A script that must stop cannot catch that.
local function caught_unless_stopped(e)
  if is_stopped() then
    error(e, 0)
  end
  return caught(e)
end

-- As in Redis, pcall gives the text of an error that is a table with a text.
local function settle(ok, e, ...)
  if ok then
    return ok, e, ...
  end
  e = caught_unless_stopped(e)
  if type(e) == "table" then
    local text = rawget(e, "err")
    if type(text) == "string" then
      e = text
    end
  end
  return false, e
end

local function settle_resumed(ok, e, ...)
  if ok then
    return ok, e, ...
  end
  return false, caught_unless_stopped(e)
end

local G = {}

for _, name in pairs({ "assert", "error", "gcinfo", "getmetatable", "ipairs", "rawequal", "select", "tonumber",
  "tostring", "type", "_VERSION" }) do
  G[name] = _G[name]
end

function G.pcall(...)
  return settle(pcall(...))
end

-- A handler is not watched while it handles the error that stops the script, so it does not get that.
function G.xpcall(f, handler)
  return settle_resumed(xpcall(f, function(e)
    if is_stopped() then
      return e
    end
    return handler(caught(e))
  end))
end

function G.next(t, key)
  return next(protected[t] or t, key)
end

function G.pairs(t)
  local real = protected[t]
  if real then
    return next, copy(real), nil
  end
  return pairs(t)
end

function G.rawget(t, key)
  return rawget(protected[t] or t, key)
end

function G.rawset(t, key, value)
  if protected[t] then
    error(READONLY, 0)
  end
  return rawset(t, key, value)
end

function G.setmetatable(t, meta)
  if protected[t] then
    error(READONLY, 0)
  end
  return setmetatable(t, meta)
end

-- The other options would last beyond the script.
function G.collectgarbage(option, argument)
  if option == nil or option == "collect" or option == "count" or option == "step" then
    return collectgarbage(option or "collect", argument)
  elseif option == "stop" or option == "restart" or option == "setpause" or option == "setstepmul" then
    return 0
  end
  return collectgarbage(option)
end

-- Lua subtracts the bounds as C integers, which overflow, and its loop ends with an overflow at the largest one.
function G.unpack(t, i, j)
  if type(t) ~= "table" then
    return unpack(t, i, j)
  end
  if i == nil then i = 1 end
  if j == nil then j = #t end
  local first, last = tonumber(i), tonumber(j)
  if not first or not last then
    return unpack(t, i, j)
  end
  if last < first then
    return
  end
  if not (last - first < 8000) or first < -2147483647 or last > 2147483646 then
    error("too many results to unpack", 2)
  end
  return unpack(t, first, last)
end

function G.loadstring(text, name)
  if type(text) == "number" then
    text = tostring(text)
  elseif type(text) ~= "string" then
    error("bad argument #1 to 'loadstring' (string expected, got " .. type(text) .. ")", 2)
  end
  return compile(text, name)
end

-- The text is complete before it is parsed: a function that is called by the parser could collect what the parser
-- uses.
function G.load(f, name)
  if type(f) ~= "function" then
    error("bad argument #1 to 'load' (function expected, got " .. type(f) .. ")", 2)
  end
  local pieces, count = {}, 0
  while true do
    local piece = f()
    if piece == nil or piece == "" then
      break
    elseif type(piece) ~= "string" then
      return nil, "reader function must return a string"
    end
    count = count + 1
    pieces[count] = piece
  end
  return compile(table.concat(pieces), name or "=(load)")
end

local strings = copy(string)
local find, match, gmatch, gsub, rep = string.find, string.match, string.gmatch, string.gsub, string.rep

-- The matcher calls itself for each repeated item of a pattern, on the stack of the thread.
local PATTERN_MAX = 4096
local LONG = "pattern too long"

function strings.find(s, pattern, init, plain)
  if not plain and type(pattern) == "string" and #pattern > PATTERN_MAX then
    error(LONG, 2)
  end
  return find(s, pattern, init, plain)
end

function strings.match(s, pattern, init)
  if type(pattern) == "string" and #pattern > PATTERN_MAX then
    error(LONG, 2)
  end
  return match(s, pattern, init)
end

function strings.gmatch(s, pattern)
  if type(pattern) == "string" and #pattern > PATTERN_MAX then
    error(LONG, 2)
  end
  return gmatch(s, pattern)
end

strings.gfind = strings.gmatch

function strings.gsub(s, pattern, replacement, most)
  if type(pattern) == "string" and #pattern > PATTERN_MAX then
    error(LONG, 2)
  end
  return gsub(s, pattern, replacement, most)
end

-- Repeating nothing takes as long as repeating something, and no hook ends it.
function strings.rep(s, n)
  if s == "" and tonumber(n) then
    return ""
  end
  return rep(s, n)
end

local string_meta = getmetatable("")
string_meta.__index = strings
string_meta.__metatable = protect({ __index = protect(strings) })

local coroutines = copy(coroutine)
local resume = coroutine.resume

function coroutines.resume(...)
  return settle_resumed(resume(...))
end

G.string = protect(strings)
G.table = protect(copy(table))
G.math = protect(copy(math))
G.coroutine = protect(coroutines)
G.os = protect({ clock = os.clock })
for _, name in pairs({ "bit", "cjson", "cmsgpack", "struct" }) do
  G[name] = protect(native[name])
end

local ask = native.ask
local LOG, SETRESP, ACL_CHECK = 1, 2, 3
local redis = copy(native.redis)

function redis.log(...)
  return ask(LOG, ...)
end

function redis.setresp(...)
  return ask(SETRESP, ...)
end

function redis.acl_check_cmd(...)
  return ask(ACL_CHECK, ...)
end

G.redis = protect(redis)
G._G = protect(G)
setmetatable(G, { __index = missing })

-- While a library is loaded, it can do little but register its functions.
local registration = copy(native.constants)
registration.log = redis.log
setmetatable(registration, { __index = missing })
local loading = setmetatable({ redis = protect(registration) }, { __index = missing })
loading._G = protect(loading)
local library_meta = { __index = G, __newindex = refuse }

return {
  globals = G,
  environment = environment(G),
  library_environment = setmetatable({}, library_meta),
  registration = registration,
  begin_library = function()
    library_meta.__index = loading
  end,
  end_library = function()
    library_meta.__index = G
  end,
}
