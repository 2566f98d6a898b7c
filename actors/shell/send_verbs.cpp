// SPDX-License-Identifier: Apache-2.0
// send: one message of the fleet's own language, as JSON in and JSON out.
#include <algorithm>
#include <iostream>
#include <iterator>

#include "actors/catalogue.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/table.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

/// The most bytes of a body; a frame carries no more.
constexpr std::size_t body_bytes_max = 256u << 10;
/// Beyond a deadline that the body itself names.
constexpr std::chrono::milliseconds reply_slack{5000};

/// Scripts read what this verb prints, so it is JSON, errors too.
output_format json_format(const config::invocation& given) {
  const auto format = format_of(given);
  return is_json(format) ? format : output_format::jsonl;
}

exit_code tell_as_json(session& io, const config::invocation& given,
                       const failure& what) {
  print_json(io, json_format(given), error_json(what));
  return exit_code_of(what.code);
}

exit_code list_types(session& io, const config::invocation& given) {
  const auto format = format_of(given);
  table types{{{"TYPE"}, {"REPLY"}, {"WHAT"}}};
  auto all = schema::json::array();
  for (const auto& x : catalogue()) {
    types.add({std::string{x.name}, std::string{x.reply}, std::string{x.doc}});
    all.push_back({{"type", x.name}, {"reply", x.reply}, {"doc", x.doc}});
  }
  if (is_json(format))
    print_json(io, format, all);
  else if (format == output_format::name)
    for (const auto& x : catalogue())
      io.out << x.name << '\n';
  else
    io.out << types.render(io.screen);
  return exit_code::done;
}

exit_code show_schema(session& io, const config::invocation& given,
                      const scriptable_message& type) {
  const auto format =
    given.has("output") ? json_format(given) : output_format::json;
  print_json(io, format,
             {{"request", type.body_schema()}, {"reply", type.reply_schema()}});
  return exit_code::done;
}

/// The body: the argument, or stdin for "-", or an empty object.
expected<schema::json> read_body(const std::string& argument) {
  if (argument.empty())
    return schema::json::object();
  if (argument != "-")
    return schema::parse_json(argument);
  std::string text;
  for (auto at = std::istreambuf_iterator<char>{std::cin};
       at != std::istreambuf_iterator<char>{} && text.size() <= body_bytes_max;
       ++at)
    text += *at;
  if (text.size() > body_bytes_max)
    return fail(ec::invalid_request, "stdin: a body has at most 262144 bytes");
  return schema::parse_json(text);
}

/// How long to wait: --timeout, and longer where the body asks for it.
std::chrono::milliseconds patience(const config::invocation& given,
                                   const schema::json& body) {
  std::chrono::milliseconds longest{0};
  for (const char* key : {"deadline_ms", "wait_ms"})
    if (body.is_object() && body.contains(key)
        && body[key].is_number_unsigned()) {
      const auto ms = std::min<uint64_t>(body[key].get<uint64_t>(), 3'600'000);
      longest = std::max(longest, std::chrono::milliseconds{ms} + reply_slack);
    }
  return std::max(longest, timeout_of(given));
}

/// A request that changes something gets an id, so that what became of it
/// can be asked for.
void give_operation(const scriptable_message& type, schema::json& body) {
  const auto known = type.body_schema();
  const auto properties = known.find("properties");
  const auto required = known.value("required", schema::json::array());
  // What is about an operation that there is names it.
  const bool is_named = std::ranges::count(required, "operation") > 0;
  if (!body.is_object() || body.contains("operation")
      || properties == known.end() || !properties->contains("operation")
      || is_named)
    return;
  body["operation"] = new_operation_id().value;
}

exit_code run_send(session& io, const config::invocation& given) {
  if (given.has("list"))
    return list_types(io, given);
  const auto name = given.positional("TYPE");
  if (name.empty())
    return wrong_use(io, given, "name a message type, or give --list");
  const auto type = find_message(name);
  if (!type)
    return tell_as_json(io, given, type.error());
  if (given.has("schema"))
    return show_schema(io, given, **type);
  auto body = read_body(given.positional("JSON"));
  if (!body)
    return tell_as_json(io, given, body.error());
  give_operation(**type, *body);
  // A wrong body is told before a fleet is looked for.
  if (const auto checked = (*type)->check(*body); !checked)
    return tell_as_json(io, given, checked.error());
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto reply =
    (*type)->send(reached->fleet, *body, patience(given, *body));
  if (!reply)
    return tell_as_json(io, given, reply.error());
  print_json(io, json_format(given), *reply);
  return exit_code::done;
}

} // namespace

std::vector<verb> send_verbs() {
  return {
    {.entry =
       {.path = "send",
        .summary = "Send one message as JSON and print the reply as JSON.",
        .options = {{.name = "list", .doc = "List the message types."},
                    {.name = "schema",
                     .doc = "Print the JSON Schema of the message and of its "
                            "reply."}},
        .positionals =
          {{.name = "TYPE", .doc = "The message's type.", .least = 0},
           {.name = "JSON",
            .doc = "Its body; - reads stdin; default: {}.",
            .least = 0}},
        .examples = {"forkfleet send --list",
                     "forkfleet send --schema branch_request",
                     "forkfleet send nodes_request",
                     R"(forkfleet send branch_request '{"sandbox": "web"}')"},
        .details = "An error is printed as JSON too: {\"error\": {\"code\", "
                   "\"message\", \"remedy\"}}. A request that changes "
                   "something gets an operation id unless it has one."},
     .run = run_send},
  };
}

} // namespace forkfleet::shell
