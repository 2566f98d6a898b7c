// SPDX-License-Identifier: Apache-2.0
// How a short-lived tool talks to the COORDINATOR: blocking, and never for
// ever. Knows no CAF in its interface.
#pragma once

#include <chrono>
#include <memory>

#include "actors/branch_protocol.hpp"
#include "actors/doctor_protocol.hpp"
#include "actors/exec_protocol.hpp"
#include "actors/fleet_protocol.hpp"
#include "actors/fsck_protocol.hpp"
#include "actors/link/endpoint.hpp"
#include "actors/link/limits.hpp"
#include "actors/snapshot_protocol.hpp"
#include "actors/switch_protocol.hpp"

namespace forkfleet {

/// Where the coordinator is, and how to get there.
struct client_settings {
  link_endpoint coordinator = {};
  tls_material tls = {};
  /// How long to try to connect, over several dials.
  std::chrono::milliseconds connect{5000};
  link_limits limits = {};
};

/// A tool's connection to a fleet. Connects on the first question and again
/// when the connection was lost. One question at a time per object; objects
/// of different threads are independent.
class client {
public:
  /// Does not connect yet.
  explicit client(client_settings settings);
  ~client();
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;

  /// Asks the coordinator and waits at most `timeout` for the answer, after
  /// at most `connect` for a connection. Only the pairs of `client_api` are
  /// and `upkeep_api` are there: branch_request gives branch_report,
  /// operation_query operation_status, restore_request, rollback_request and
  /// promote_request restore_report, stop_request, remove_request,
  /// cancel_request and flatten_request done, verify_request verify_report,
  /// export_request and import_request archive_report, exec_request
  /// exec_report, file_request file_report, console_request console_report,
  /// fsck_request fsck_report, the list requests their lists, events_request
  /// event_list. Errors are the coordinator's own; node_down and
  /// deadline_exceeded mean that the outcome is unknown when the request was
  /// sent; not_ready and not_permitted that it was not.
  template <class Reply, class Request>
  expected<Reply> ask(const Request& request,
                      std::chrono::milliseconds timeout);

  /// Connects, if there is no connection yet: to tell "not there" from
  /// "does not answer".
  status connect();

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace forkfleet
