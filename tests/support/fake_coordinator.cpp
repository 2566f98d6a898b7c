// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_coordinator.hpp"

#include "actors/harden.hpp"

namespace forkfleet::test {

namespace {

using self_ptr = coordinator_actor::stateful_pointer<fake_coordinator_state>;

constexpr milliseconds pass_on_limit{5000};

branch_report report_for(const branch_request& x) {
  return {.operation = x.operation,
          .sandbox = x.sandbox,
          .tag = x.tag,
          .method = "fake",
          .stages = {{stage::admit, microseconds{0}, microseconds{7}}}};
}

caf::result<branch_report> on_branch(self_ptr self, const branch_request& x) {
  if (x.sandbox.value == "missing")
    return to_caf_error(ec::unknown_sandbox, x.sandbox.value);
  if (x.sandbox.value == "silent") {
    self->state.silent.push_back(self->make_response_promise<branch_report>());
    return self->state.silent.back();
  }
  if (x.sandbox.value == "big") {
    auto report = report_for(x);
    report.warnings.emplace_back(300 * 1024, 'x');
    return report;
  }
  if (!x.sandbox.value.starts_with("on-"))
    return report_for(x);
  const auto node = self->state.nodes.find(x.sandbox.value.substr(3));
  if (node == self->state.nodes.end())
    return to_caf_error(ec::node_down, x.sandbox.value);
  auto promise = self->make_response_promise<branch_report>();
  self->request(node->second, pass_on_limit, x)
    .then([promise](const branch_report& y) mutable { promise.deliver(y); },
          [promise](caf::error& y) mutable { promise.deliver(y); });
  return promise;
}

operation_status on_query(const operation_query& x) {
  if (x.operation.value != "op-sealed")
    return {.operation = x.operation};
  return {.operation = x.operation,
          .state = operation_state::ended,
          .report = {.operation = x.operation, .tag = {"kept"}}};
}

caf::result<done> on_cancel(const cancel_request& x) {
  if (x.operation.value == "op-none")
    return to_caf_error(ec::unknown_operation, x.operation.value);
  return done{};
}

caf::result<restore_report> on_restore(const restore_request& x) {
  if (x.sandbox.value == "taken-2")
    return to_caf_error(ec::sandbox_exists, x.sandbox.value);
  return restore_report{.operation = x.operation,
                        .tag = x.tag,
                        .sandbox = {.id = x.sandbox, .host = {"h1"}}};
}

caf::result<verify_report> on_verify(const verify_request& x) {
  if (x.tag.value == "missing")
    return to_caf_error(ec::unknown_snapshot, x.tag.value);
  auto report = verify_report{.tag = x.tag, .host = {"h1"}, .hashes = 1};
  if (x.tag.value == "damaged")
    report.outcome = {ec::snapshot_corrupt, "memory.bin: extent 3"};
  return report;
}

caf::result<inspect_report> on_inspect(const inspect_request& x) {
  if (x.tag.value == "missing")
    return to_caf_error(ec::unknown_snapshot, x.tag.value);
  return inspect_report{.snapshot = {.tag = x.tag,
                                     .host = {"h1"},
                                     .labels = {"run=1"},
                                     .note = "a note"},
                        .unique_bytes = 4096,
                        .retention = "pinned by pinned=yes"};
}

caf::result<inspect_report> on_annotate(const annotate_request& x) {
  if (x.tag.value == "missing")
    return to_caf_error(ec::unknown_snapshot, x.tag.value);
  return inspect_report{
    .snapshot = {
      .tag = x.tag, .host = {"h1"}, .labels = x.labels, .note = x.note}};
}

std::string name_of(const export_request& x) {
  return x.file.empty() ? default_archive(x.tag) : x.file;
}

caf::result<node_welcome> on_hello(self_ptr self, const node_hello& x,
                                   const node_actor& handle) {
  if (self->state.check)
    if (auto known = self->state.check(handle, x.host); !known)
      return to_caf_error(known.error());
  self->state.nodes[x.host.value] = handle;
  return node_welcome{.epoch = 3, .heartbeat = milliseconds{100}};
}

/// One orphan; gone after a repair.
fsck_report on_fsck(const fsck_request& x) {
  auto orphan = ledger_item{.kind = ledger_kind::staging,
                            .state = ledger_state::orphan,
                            .where = "/data/staging/op-1",
                            .reason = "no snapshot is being made there",
                            .bytes = 4096};
  if (x.repair)
    orphan.repair = "removed";
  return {.host = x.host,
          .counts = {{.kind = ledger_kind::staging,
                      .state = ledger_state::orphan,
                      .count = 1}},
          .items = {orphan},
          .repaired = x.repair ? uint64_t{1} : uint64_t{0}};
}

/// One thing is well, one is not.
doctor_report on_doctor(const doctor_request& x) {
  return {.host = x.host,
          .checks = {{.name = "kvm", .found = "it can be used"},
                     {.name = "nf_tables",
                      .state = check_state::bad,
                      .found = "the kernel has none",
                      .remedy = "load nf_tables"}}};
}

} // namespace

coordinator_actor::behavior_type fake_coordinator(self_ptr self,
                                                  peer_check check) {
  harden(self);
  self->state.check = std::move(check);
  return {
    [self](const branch_request& x) { return on_branch(self, x); },
    [](const operation_query& x) { return on_query(x); },
    [](const restore_request& x) { return on_restore(x); },
    [](const stop_request&) { return done{}; },
    [](const remove_request&) { return done{}; },
    [](const cancel_request& x) { return on_cancel(x); },
    [](const flatten_request& x) {
      return done{x.tag.value == "flat" ? "it was flat before" : ""};
    },
    [](const verify_request& x) { return on_verify(x); },
    [](const export_request& x) {
      return archive_report{
        .tag = x.tag, .host = {"h1"}, .file = "/archives/" + name_of(x)};
    },
    [](const import_request& x) {
      return archive_report{
        .tag = x.tag, .host = x.host, .file = "/archives/" + x.file};
    },
    [](const annotate_request& x) { return on_annotate(x); },
    [](const inspect_request& x) { return on_inspect(x); },
    [](const compare_request& x) {
      return compare_report{.tag = x.tag,
                            .other = x.other,
                            .host = {"h1"},
                            .memory_bytes = 1u << 20,
                            .pages = 3,
                            .bytes = 12288,
                            .runs = 2,
                            .table = {{0, 4096}, {8192, 8192}}};
    },
    [](const exec_request&) { return exec_report{}; },
    [](const file_request&) { return file_report{}; },
    [](const console_request&) { return console_report{}; },
    [](const fsck_request& x) { return on_fsck(x); },
    [](const doctor_request& x) { return on_doctor(x); },
    [](const rollback_request& x) -> caf::result<restore_report> {
      if (x.tag.value == "foreign" && !x.force)
        return to_caf_error(ec::invalid_request, "not of its lineage");
      return restore_report{
        .operation = x.operation,
        .tag = x.tag,
        .sandbox = {.id = x.sandbox, .host = {"h1"}, .parent = x.tag}};
    },
    [](const promote_request& x) {
      return restore_report{.operation = x.operation,
                            .tag = {"try-a"},
                            .sandbox = {.id = {"web"}, .host = {"h1"}}};
    },
    [](const nodes_request&) {
      return node_list{.nodes = {node_info{.host = {"h1"}}}};
    },
    [](const sandboxes_request&) { return sandbox_list{}; },
    [](const snapshots_request&) {
      return snapshot_list{
        .snapshots = {
          {.tag = {"try-a"}, .host = {"h1"}, .labels = {"run=1"}},
          {.tag = {"damaged"}, .host = {"h1"}, .base = {"try-a"}, .depth = 1}}};
    },
    [](const events_request&) { return event_list{}; },
    [self](const node_hello& x, const node_actor& y) {
      return on_hello(self, x, y);
    },
    [](const inventory_page&) { return done{}; },
    [](const node_heartbeat&) { return heartbeat_ack{.epoch = 3}; },
    [](const node_events&) { return done{}; },
    [](const node_goodbye&) { return done{}; },
  };
}

} // namespace forkfleet::test
