/* The only C++ file: simdjson's on-demand parser behind json.h. Built without exceptions; every
 * call into simdjson is of its error-code kind. */
#include "json.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include <simdjson.h>

#include "account.h"

namespace od = simdjson::ondemand;

static_assert(JSON_PADDING >= simdjson::SIMDJSON_PADDING, "simdjson may read so far");

/* All that C++ allocates in the program is the parser's. Every form is replaced, not only those
 * that the others call: sanitizers bring their own of each. Who cannot do without memory ends here,
 * as exceptions are off. */
static void *take(size_t size)
{
    return account_realloc(PX_OWNER_JSON, nullptr, size == 0 ? 1 : size);
}

static void *take_or_end(size_t size)
{
    void *p = take(size);
    if (p == nullptr)
        abort();
    return p;
}

static void give(void *p)
{
    account_realloc(PX_OWNER_JSON, p, 0);
}

void *operator new(size_t size)
{
    return take_or_end(size);
}

void *operator new[](size_t size)
{
    return take_or_end(size);
}

void *operator new(size_t size, const std::nothrow_t &) noexcept
{
    return take(size);
}

void *operator new[](size_t size, const std::nothrow_t &) noexcept
{
    return take(size);
}

void operator delete(void *p) noexcept
{
    give(p);
}

void operator delete[](void *p) noexcept
{
    give(p);
}

void operator delete(void *p, size_t) noexcept
{
    give(p);
}

void operator delete[](void *p, size_t) noexcept
{
    give(p);
}

void operator delete(void *p, const std::nothrow_t &) noexcept
{
    give(p);
}

void operator delete[](void *p, const std::nothrow_t &) noexcept
{
    give(p);
}

namespace
{

/* A container that was entered. On-demand allows to look at each place once and to step on once in
 * between: `fresh` is the first place, which needs no step. */
struct level {
    bool object, fresh;
    od::object_iterator fields;
    od::array_iterator elements;
};

bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

std::string_view trimmed(std::string_view token)
{
    size_t len = token.size(); // a token is cut before the next one: only blanks can follow it
    while (len > 0 && is_blank(token[len - 1]))
        len--;
    return token.substr(0, len);
}

bool digits(const char *&p, const char *end)
{
    const char *start = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p > start;
}

bool is_number(std::string_view token)
{
    const char *p = token.data(), *end = p + token.size();
    if (p < end && *p == '-')
        p++;
    if (p < end && *p == '0')
        p++;
    else if (!digits(p, end))
        return false;
    if (p < end && *p == '.' && !digits(++p, end))
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        if (!digits(p, end))
            return false;
    }
    return p == end;
}

/* A scalar that is no string; most are numbers. False: none. */
bool literal(std::string_view token, json_item *item)
{
    item->text = {token.data(), token.size()};
    if (is_number(token))
        item->type = JSON_NUMBER;
    else if (token == "true")
        item->type = JSON_TRUE;
    else if (token == "false")
        item->type = JSON_FALSE;
    else if (token == "null")
        item->type = JSON_NULL;
    else
        return false;
    return true;
}

} // namespace

struct json {
    od::parser parser;
    od::document document;
    od::value pending; /* the container given last, if `unentered` */
    level levels[JSON_DEPTH];
    unsigned depth;
    bool unentered, root_pending;
    size_t max_bytes, len;
    const char *frame;
    const char *error;
};

static int fail(json *j, const char *error)
{
    j->error = error;
    j->depth = 0;
    j->unentered = false;
    return -EBADMSG;
}

static int fail_code(json *j, simdjson::error_code code)
{
    switch (code) {
    case simdjson::UTF8_ERROR:
        return fail(j, "bytes that are not UTF-8");
    case simdjson::UNCLOSED_STRING:
        return fail(j, "a string without end");
    case simdjson::UNESCAPED_CHARS:
        return fail(j, "a control character inside a string");
    case simdjson::STRING_ERROR:
        return fail(j, "a bad escape inside a string");
    case simdjson::EMPTY:
        return fail(j, "no text");
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
        return fail(j, "an array or object without end");
    default:
        return fail(j, "not built as JSON demands");
    }
}

/* A string that was unescaped. simdjson lets a lone low surrogate through: it is no UTF-8. */
static int unescaped(json *j, simdjson::simdjson_result<std::string_view> &&result, json_text *ret)
{
    std::string_view text;
    if (auto code = std::move(result).get(text))
        return fail_code(j, code);
    if (!simdjson::validate_utf8(text.data(), text.size()))
        return fail_code(j, simdjson::STRING_ERROR);
    *ret = {text.data(), text.size()};
    return 0;
}

/* simdjson bounds its walk by what it expects behind the document, and that may be anything: a
 * token that starts there is none. */
static bool outside(const json *j, const char *token)
{
    return token >= j->frame + j->len;
}

/* The string must be taken, not only looked at: stepping over one that was not taken,
 * simdjson 3.0.1 takes "text": inside an array for a key and goes astray. */
static int take_string(json *j, od::value &value, std::string_view token, json_item *item)
{
    od::raw_json_string taken;
    item->type = JSON_STRING;
    if (token.size() < 2 || token.back() != '"')
        return fail_code(j, simdjson::TAPE_ERROR);
    if (memchr(token.data(), '\\', token.size()) != nullptr)
        return unescaped(j, value.get_string(), &item->text);
    item->text = {token.data() + 1, token.size() - 2};
    auto code = value.get_raw_json_string().get(taken);
    return code ? fail_code(j, code) : 0;
}

static int take_value(json *j, od::value &value, json_item *item)
{
    std::string_view token = value.raw_json_token();
    if (outside(j, token.data()))
        return fail_code(j, simdjson::INCOMPLETE_ARRAY_OR_OBJECT);
    switch (token.front()) {
    case '{':
    case '[':
        item->type = token.front() == '{' ? JSON_OBJECT : JSON_ARRAY;
        item->text = {token.data(), 0};
        j->pending = value;
        j->unentered = true;
        return 0;
    case '"':
        return take_string(j, value, trimmed(token), item);
    default:
        return literal(trimmed(token), item) ? 0 : fail_code(j, simdjson::TAPE_ERROR);
    }
}

/* Keys are short and rarely escaped: looking for their end beats asking for it. Most are one
 * letter. */
static int take_key(json *j, od::field &field, json_item *item)
{
    const char *start = field.key().raw();
    const char *p = start;
    if (outside(j, start))
        return fail_code(j, simdjson::INCOMPLETE_ARRAY_OR_OBJECT);
    if (p[0] != '\\' && p[0] != '"' && p[1] == '"')
        p++;
    while (*p != '"' && *p != '\\')
        p++;
    if (*p == '\\')
        return unescaped(j, field.unescaped_key(), &item->key);
    item->key = {start, static_cast<size_t>(p - start)};
    return 0;
}

/* The outermost value is a scalar: it must be the whole document. */
static int root_scalar(json *j, json_item *root)
{
    std::string_view token;
    if (auto code = j->document.raw_json_token().get(token))
        return fail_code(j, code);
    if (token.data() + token.size() != j->frame + j->len)
        return fail_code(j, simdjson::TAPE_ERROR);
    token = trimmed(token);
    if (token.front() != '"')
        return literal(token, root) ? 0 : fail_code(j, simdjson::TAPE_ERROR);
    root->type = JSON_STRING;
    if (token.size() < 2 || token.back() != '"')
        return fail_code(j, simdjson::TAPE_ERROR);
    return unescaped(j, j->document.get_string(), &root->text);
}

static int begin(json *j, json_item *root)
{
    od::json_type type;
    j->depth = 0;
    j->unentered = false;
    j->root_pending = false;
    *root = {};
    if (auto code = j->document.type().get(type))
        return fail_code(j, code);
    if (type != od::json_type::object && type != od::json_type::array)
        return root_scalar(j, root);
    root->type = type == od::json_type::object ? JSON_OBJECT : JSON_ARRAY;
    root->text = {j->frame, 0};
    j->unentered = j->root_pending = true;
    return 0;
}

extern "C" json *json_new(size_t max_bytes)
{
    json *j = new (std::nothrow) json();
    if (j != nullptr && j->parser.allocate(max_bytes, JSON_DEPTH + 2) != simdjson::SUCCESS) {
        delete j;
        return nullptr;
    }
    if (j != nullptr) {
        j->max_bytes = max_bytes;
        j->error = "";
    }
    return j;
}

extern "C" void json_free(json *j)
{
    delete j;
}

/* As parser.allocate() computes: unescaped strings, and 4 bytes per possible token. */
extern "C" size_t json_bytes(size_t max_bytes)
{
    return sizeof(json) + (5 * max_bytes / 3 + 128) + 4 * (max_bytes + 72);
}

extern "C" int json_open(json *j, const char *frame, size_t len, json_item *root)
{
    j->frame = frame;
    j->len = len;
    if (len > j->max_bytes)
        return fail(j, "longer than a frame may be");
    if (auto code = j->parser.iterate(frame, len, len + JSON_PADDING).get(j->document))
        return fail_code(j, code);
    return begin(j, root);
}

extern "C" int json_rewind(json *j, json_item *root)
{
    j->document.rewind();
    return begin(j, root);
}

template <typename From> static simdjson::error_code open_level(From &from, bool object, level *l)
{
    l->object = object;
    l->fresh = true;
    if (object) {
        od::object o;
        if (auto code = from.get_object().get(o))
            return code;
        return o.begin().get(l->fields);
    }
    od::array a;
    if (auto code = from.get_array().get(a))
        return code;
    return a.begin().get(l->elements);
}

extern "C" int json_enter(json *j)
{
    if (!j->unentered)
        return fail(j, "entered without an array or object");
    if (j->depth == JSON_DEPTH)
        return fail(j, "arrays and objects nested too deep");
    j->unentered = false;
    level *l = &j->levels[j->depth];
    simdjson::error_code code;
    if (j->root_pending) {
        od::json_type type;
        code = j->document.type().get(type);
        if (!code)
            code = open_level(j->document, type == od::json_type::object, l);
        j->root_pending = false;
    } else {
        od::json_type type;
        code = j->pending.type().get(type);
        if (!code)
            code = open_level(j->pending, type == od::json_type::object, l);
    }
    if (code)
        return fail_code(j, code);
    j->depth++;
    return 0;
}

/* Back in the container above; behind the outermost one nothing may follow. */
static int leave(json *j)
{
    if (--j->depth > 0 || j->document.current_location().error() == simdjson::OUT_OF_BOUNDS)
        return 0;
    return fail(j, "text behind its end");
}

/* The results are used where they stand: a copy of what was just written word by word, read in one,
 * stalls for longer than the rest of the step takes. */
static int next_field(json *j, level *l, json_item *item)
{
    if (!l->fresh)
        ++l->fields;
    l->fresh = false;
    if (!(l->fields != l->fields))
        return leave(j);
    auto result = *l->fields;
    if (result.error())
        return fail_code(j, result.error());
    od::field &&field = std::move(result).value_unsafe();
    int rc = take_key(j, field, item);
    if (rc == 0)
        rc = take_value(j, field.value(), item);
    return rc < 0 ? rc : 1;
}

static int next_element(json *j, level *l, json_item *item)
{
    if (!l->fresh)
        ++l->elements;
    l->fresh = false;
    if (!(l->elements != l->elements))
        return leave(j);
    auto result = *l->elements;
    if (result.error())
        return fail_code(j, result.error());
    od::value &&value = std::move(result).value_unsafe();
    item->key = {"", 0};
    int rc = take_value(j, value, item);
    return rc < 0 ? rc : 1;
}

static int step(json *j, json_item *item)
{
    level *l = &j->levels[j->depth - 1];
    return l->object ? next_field(j, l, item) : next_element(j, l, item);
}

/* Walk until only `depth` containers are open. */
static int walk_to(json *j, unsigned depth)
{
    json_item item;
    for (;;) {
        int rc = 0;
        if (j->unentered)
            rc = json_enter(j);
        else if (j->depth > depth)
            rc = step(j, &item);
        else
            return 0;
        if (rc < 0)
            return rc;
    }
}

extern "C" int json_next(json *j, json_item *item)
{
    if (j->depth == 0)
        return fail(j, "read without an array or object");
    if (j->unentered) {
        int rc = walk_to(j, j->depth);
        if (rc < 0)
            return rc;
    }
    return step(j, item);
}

extern "C" int json_finish(json *j)
{
    return walk_to(j, 0);
}

extern "C" const char *json_error(const json *j)
{
    return j->error;
}

extern "C" bool json_utf8(const char *text, size_t len)
{
    return simdjson::validate_utf8(text, len);
}
