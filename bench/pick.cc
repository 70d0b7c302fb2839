#include "pick.h"

#include <simdjson.h>

namespace od = simdjson::ondemand;

static_assert(PICK_PADDING >= simdjson::SIMDJSON_PADDING, "padding");

static od::parser parser;

static bool text(od::object &o, const char *key, struct pick_text *out)
{
    std::string_view view;
    if (o.find_field(key).get_string().get(view))
        return false;
    *out = {view.data(), view.size()};
    return true;
}

extern "C" int pick_trade(const char *frame, size_t len, struct pick *out)
{
    od::document doc;
    od::object o;
    if (parser.iterate(frame, len, len + PICK_PADDING).get(doc) || doc.get_object().get(o))
        return -1;
    if (len > 8 && frame[2] == 's') { /* {"stream":...,"data":{...}} */
        od::object inner;
        if (o.find_field("data").get_object().get(inner))
            return -1;
        o = inner;
    }
    bool sell;
    if (!text(o, "s", &out->symbol) || o.find_field("t").get_uint64().get(out->id) ||
        !text(o, "p", &out->price) || !text(o, "q", &out->size) ||
        o.find_field("T").get_int64().get(out->time_ms) || o.find_field("m").get_bool().get(sell))
        return -1;
    out->sell = sell;
    return 0;
}

static int walk(od::value v)
{
    int count = 1;
    od::json_type type;
    if (v.type().get(type))
        return -1;
    if (type == od::json_type::array) {
        for (auto element : v.get_array()) {
            od::value inner;
            const int n = element.get(inner) ? -1 : walk(inner);
            if (n < 0)
                return -1;
            count += n;
        }
    } else if (type == od::json_type::object) {
        for (auto field : v.get_object()) {
            od::value inner;
            const int n = field.value().get(inner) ? -1 : walk(inner);
            if (n < 0)
                return -1;
            count += n;
        }
    } else {
        count += v.raw_json_token().empty() ? -1 : 0;
    }
    return count;
}

extern "C" int pick_walk(const char *frame, size_t len)
{
    od::document doc;
    od::value root;
    if (parser.iterate(frame, len, len + PICK_PADDING).get(doc) || doc.get_value().get(root))
        return -1;
    return walk(root);
}
