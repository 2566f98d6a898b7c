// SPDX-License-Identifier: Apache-2.0
#include "actors/link/content_check.hpp"

#include <initializer_list>
#include <vector>

#include "actors/exec_protocol.hpp"
#include "actors/link/wire_shape.hpp"
#include "actors/membership_protocol.hpp"
#include "actors/snapshot_protocol.hpp"

namespace forkfleet {

namespace {

constexpr std::string_view namespace_prefix = "forkfleet::";
constexpr std::string_view list_prefix = "@<>";
constexpr std::size_t context_values_max = 8;

struct walked_type {
  std::string_view name;
  bool (*walk)(wire_reader&);
};

using walked_types = std::vector<walked_type>;

template <class... Ts>
walked_types types() {
  return {walked_type{Ts::about.name, walk<Ts>}...};
}

const walked_types& requests_of_clients() {
  static const auto list =
    types<branch_request, operation_query, restore_request, stop_request,
          remove_request, nodes_request, sandboxes_request, snapshots_request,
          events_request, cancel_request, flatten_request, verify_request,
          export_request, import_request, annotate_request, inspect_request,
          compare_request, exec_request, file_request, console_request,
          fsck_request, rollback_request, promote_request, doctor_request>();
  return list;
}

const walked_types& words_of_nodes() {
  static const auto list =
    types<inventory_page, node_heartbeat, node_events, node_goodbye,
          branch_report, operation_status, restore_report, done, verify_report,
          archive_report, inspect_report, compare_report, exec_report,
          file_report, console_report, fsck_report, doctor_report>();
  return list;
}

const walked_types& words_of_coordinators() {
  static const auto list =
    types<branch_request, operation_query, restore_request, stop_request,
          remove_request, branch_report, operation_status, restore_report, done,
          node_list, sandbox_list, snapshot_list, event_list, node_welcome,
          heartbeat_ack, cancel_request, flatten_request, verify_request,
          export_request, import_request, verify_report, archive_report,
          annotate_request, inspect_request, inspect_report, compare_request,
          compare_report, exec_request, exec_report, file_request, file_report,
          console_request, console_report, fsck_request, fsck_report,
          rollback_request, promote_request, doctor_request, doctor_report>();
  return list;
}

const walked_type* find(const walked_types& list, std::string_view name) {
  if (!name.starts_with(namespace_prefix))
    return nullptr;
  name.remove_prefix(namespace_prefix.size());
  for (const auto& entry : list)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

const walked_type* find_for(peer_role peer, std::string_view name) {
  switch (peer) {
    case peer_role::client:
      return find(requests_of_clients(), name);
    case peer_role::node:
      return find(words_of_nodes(), name);
    case peer_role::coordinator:
      return find(words_of_coordinators(), name);
    case peer_role::local:
      if (const auto* entry = find(requests_of_clients(), name))
        return entry;
      return find(words_of_nodes(), name);
  }
  return nullptr;
}

bool speaks_for_nodes(peer_role peer) {
  return peer == peer_role::node || peer == peer_role::local;
}

content_verdict walk_hello(wire_reader& in, std::string_view peer_node) {
  auto actor = uint64_t{0};
  auto node = std::string_view{};
  if (!walk<node_hello>(in) || !in.number(actor) || actor == 0
      || !in.raw(node_bytes_size, node) || !in.at_end())
    return content_verdict::malformed;
  return node == peer_node ? content_verdict::passes : content_verdict::foreign;
}

content_verdict verdict_of(bool is_sound) {
  return is_sound ? content_verdict::passes : content_verdict::malformed;
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

content_verdict check_content(std::string_view payload, peer_role peer,
                              std::string_view peer_node) {
  auto in = wire_reader{payload};
  auto stages = std::size_t{0};
  auto number = uint16_t{0};
  auto name = std::string_view{};
  if (!in.length(stages) || stages != 0 || !in.number(number) || number != 0
      || !in.text(name) || !name.starts_with(list_prefix))
    return content_verdict::malformed;
  name.remove_prefix(list_prefix.size());
  if (speaks_for_nodes(peer)
      && name == "+forkfleet::node_hello+forkfleet::node_actor")
    return walk_hello(in, peer_node);
  if (name == "+@error" && peer != peer_role::client)
    return verdict_of(walk_error(in) && in.at_end());
  if (name.empty() || name.front() != '+')
    return content_verdict::forbidden;
  const auto* entry = find_for(peer, name.substr(1));
  if (entry == nullptr)
    return content_verdict::forbidden;
  return verdict_of(entry->walk(in) && in.at_end());
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
