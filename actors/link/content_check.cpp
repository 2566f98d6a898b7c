// SPDX-License-Identifier: Apache-2.0
#include "actors/link/content_check.hpp"

#include <utility>

#include "actors/doctor_protocol.hpp"
#include "actors/exec_protocol.hpp"
#include "actors/fsck_protocol.hpp"
#include "actors/link/wire_shape.hpp"
#include "actors/membership_protocol.hpp"
#include "actors/snapshot_protocol.hpp"
#include "actors/switch_protocol.hpp"

namespace forkfleet {

namespace {

constexpr std::string_view list_prefix = "@<>";
constexpr std::string_view error_types = "+@error";
constexpr std::size_t context_values_max = 8;

template <class T>
std::string types_of() {
  return "+forkfleet::" + std::string{T::about.name};
}

template <class Asked, class Answer>
question pair(question_kind kind) {
  return {.kind = kind,
          .types = types_of<Asked>(),
          .answer_types = types_of<Answer>(),
          .walk = walk<Asked>,
          .walk_answer = walk<Answer>};
}

template <class Told, class Answer>
question told() {
  static_assert(says_who_speaks<Told>(),
                "what a node tells must have a field of its host's name");
  return pair<Told, Answer>(question_kind::of_node);
}

question hello() {
  auto result = told<node_hello, node_welcome>();
  result.types += "+forkfleet::node_actor";
  result.is_hello = true;
  return result;
}

// What is asked of a node is asked by clients of the coordinator, too.
void add_shared(std::vector<question>& list, question_kind kind) {
  const auto pairs = {
    pair<branch_request, branch_report>(kind),
    pair<operation_query, operation_status>(kind),
    pair<restore_request, restore_report>(kind),
    pair<stop_request, done>(kind),
    pair<remove_request, done>(kind),
    pair<cancel_request, done>(kind),
    pair<flatten_request, done>(kind),
    pair<verify_request, verify_report>(kind),
    pair<export_request, archive_report>(kind),
    pair<import_request, archive_report>(kind),
    pair<annotate_request, inspect_report>(kind),
    pair<inspect_request, inspect_report>(kind),
    pair<compare_request, compare_report>(kind),
    pair<exec_request, exec_report>(kind),
    pair<file_request, file_report>(kind),
    pair<console_request, console_report>(kind),
    pair<fsck_request, fsck_report>(kind),
    pair<rollback_request, restore_report>(kind),
    pair<promote_request, restore_report>(kind),
    pair<doctor_request, doctor_report>(kind),
  };
  list.insert(list.end(), pairs.begin(), pairs.end());
}

std::vector<question> make_questions() {
  using enum question_kind;
  auto events = pair<events_request, event_list>(of_client);
  events.waits_for_events = true;
  auto result =
    std::vector<question>{hello(),
                          told<inventory_page, done>(),
                          told<node_heartbeat, heartbeat_ack>(),
                          told<node_events, done>(),
                          told<node_goodbye, done>(),
                          pair<nodes_request, node_list>(of_client),
                          pair<sandboxes_request, sandbox_list>(of_client),
                          pair<snapshots_request, snapshot_list>(of_client),
                          std::move(events)};
  add_shared(result, of_client);
  add_shared(result, of_coordinator);
  return result;
}

bool may_ask(peer_role asker, question_kind kind) {
  switch (asker) {
    case peer_role::client:
      return kind == question_kind::of_client;
    case peer_role::node:
      return kind == question_kind::of_node;
    case peer_role::local:
      return kind != question_kind::of_coordinator;
    case peer_role::coordinator:
      return kind == question_kind::of_coordinator;
  }
  return false;
}

content_verdict verdict_of(bool is_sound) {
  return is_sound ? content_verdict::passes : content_verdict::malformed;
}

content_verdict check_hello(const question& which, wire_reader in,
                            const speaker& who, hello_content& hello) {
  auto node = std::string_view{};
  auto hosts = host_claims{who.host};
  if (!which.walk(in, &hosts) || !in.number(hello.actor) || hello.actor == 0
      || !in.raw(node_bytes_size, node) || !in.at_end())
    return content_verdict::malformed;
  hello.host = hosts.first();
  if (node != who.node)
    return content_verdict::foreign;
  const auto may_speak =
    who.host.empty() ? !hello.host.empty() : hello.host == who.host;
  return may_speak ? content_verdict::passes : content_verdict::foreign_host;
}

content_verdict check_told(const question& which, wire_reader in,
                           const speaker& who) {
  auto hosts = host_claims{who.host};
  if (!which.walk(in, &hosts) || !in.at_end())
    return content_verdict::malformed;
  const auto is_own = !who.host.empty() && hosts.first() == who.host;
  return is_own && !hosts.is_foreign() ? content_verdict::passes
                                       : content_verdict::foreign_host;
}

// One value of an error's context: a text or a number.
bool walk_context_value(wire_reader& in, std::string_view type) {
  auto text = std::string_view{};
  if (type == "@str")
    return in.text(text);
  if (type == "@u8" || type == "@i8" || type == "bool")
    return in.skip(1);
  if (type == "@u16" || type == "@i16")
    return in.skip(2);
  if (type == "@u32" || type == "@i32")
    return in.skip(4);
  if (type == "@u64" || type == "@i64" || type == "@atom")
    return in.skip(8);
  return false;
}

} // namespace

const std::vector<question>& all_questions() {
  static const auto list = make_questions();
  return list;
}

bool read_head(std::string_view payload, content_head& head) {
  auto stages = std::size_t{0};
  auto number = uint16_t{0};
  auto& in = head.values;
  in = wire_reader{payload};
  if (!in.length(stages) || stages != 0 || !in.number(number) || number != 0
      || !in.text(head.types) || !head.types.starts_with(list_prefix))
    return false;
  head.types.remove_prefix(list_prefix.size());
  return true;
}

const question* find_question(std::string_view types, peer_role asker) {
  for (const auto& x : all_questions())
    if (x.types == types && may_ask(asker, x.kind))
      return &x;
  return nullptr;
}

const question* find_question(std::string_view types) {
  for (const auto& x : all_questions())
    if (x.types == types)
      return &x;
  return nullptr;
}

content_verdict check_question(const question& which, wire_reader values,
                               const speaker& who, hello_content& hello) {
  if (which.is_hello)
    return check_hello(which, values, who, hello);
  if (which.kind == question_kind::of_node)
    return check_told(which, values, who);
  return verdict_of(which.walk(values, nullptr) && values.at_end());
}

content_verdict check_answer(const question& which, const content_head& head,
                             const speaker& who, bool names_hosts) {
  auto in = head.values;
  if (head.types == error_types)
    return verdict_of(walk_error(in) && in.at_end());
  if (head.types != which.answer_types)
    return content_verdict::forbidden;
  auto hosts = host_claims{who.host};
  if (!which.walk_answer(in, &hosts) || !in.at_end())
    return content_verdict::malformed;
  return names_hosts && hosts.is_foreign() ? content_verdict::foreign_host
                                           : content_verdict::passes;
}

bool walk_error(wire_reader& in) {
  auto number = uint16_t{0};
  auto name = std::string_view{};
  if (!in.skip(sizeof(uint8_t) + sizeof(uint64_t)) || !in.number(number)
      || number != 0 || !in.text(name) || !name.starts_with(list_prefix))
    return false;
  name.remove_prefix(list_prefix.size());
  for (auto count = std::size_t{0}; !name.empty(); ++count) {
    if (name.front() != '+' || count == context_values_max)
      return false;
    name.remove_prefix(1);
    const auto type = name.substr(0, name.find('+'));
    name.remove_prefix(type.size());
    if (!walk_context_value(in, type))
      return false;
  }
  return true;
}

} // namespace forkfleet
