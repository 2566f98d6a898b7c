// SPDX-License-Identifier: Apache-2.0
#include "actors/catalogue.hpp"

#include "actors/schema/json_schema.hpp"
#include "actors/schema/nearest.hpp"

namespace forkfleet {

namespace {

using schema::json;

constexpr schema::json_options from_script{.script = true};

template <class Request, class Reply>
scriptable_message entry() {
  static_assert(Request::about.sendable == schema::access::scriptable);
  return {
    .name = Request::about.name,
    .doc = Request::about.doc,
    .reply = Reply::about.name,
    .send = [](client& fleet, const json& body,
               std::chrono::milliseconds timeout) -> expected<json> {
      const auto request = schema::from_json<Request>(body, from_script);
      if (!request)
        return tl::unexpected(request.error());
      return fleet.ask<Reply>(*request, timeout).map([](const Reply& x) {
        return schema::to_json(x);
      });
    },
    .check = [](const json& body) -> expected<json> {
      return schema::from_json<Request>(body, from_script)
        .map([](const Request& x) { return schema::to_json(x); });
    },
    .body_schema =
      [] { return schema::json_schema<Request>({.script = true}); },
    .reply_schema = [] { return schema::json_schema<Reply>(); },
  };
}

} // namespace

const std::vector<scriptable_message>& catalogue() {
  static const auto all = std::vector<scriptable_message>{
    entry<annotate_request, inspect_report>(),
    entry<branch_request, branch_report>(),
    entry<cancel_request, done>(),
    entry<compare_request, compare_report>(),
    entry<console_request, console_report>(),
    entry<doctor_request, doctor_report>(),
    entry<events_request, event_list>(),
    entry<exec_request, exec_report>(),
    entry<export_request, archive_report>(),
    entry<file_request, file_report>(),
    entry<flatten_request, done>(),
    entry<fsck_request, fsck_report>(),
    entry<import_request, archive_report>(),
    entry<inspect_request, inspect_report>(),
    entry<nodes_request, node_list>(),
    entry<operation_query, operation_status>(),
    entry<promote_request, restore_report>(),
    entry<remove_request, done>(),
    entry<restore_request, restore_report>(),
    entry<rollback_request, restore_report>(),
    entry<sandboxes_request, sandbox_list>(),
    entry<snapshots_request, snapshot_list>(),
    entry<stop_request, done>(),
    entry<verify_request, verify_report>(),
  };
  return all;
}

expected<const scriptable_message*> find_message(std::string_view name) {
  auto names = std::vector<std::string_view>{};
  for (const auto& x : catalogue()) {
    if (x.name == name)
      return &x;
    names.push_back(x.name);
  }
  auto problem = "no message " + schema::in_quotes(name);
  if (const auto hint = schema::suggestion(name, names); !hint.empty())
    problem += " (" + hint + ")";
  return fail(ec::invalid_request, std::move(problem));
}

} // namespace forkfleet
