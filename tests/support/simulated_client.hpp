// SPDX-License-Identifier: Apache-2.0
// A client that wants one thing done and does what the error codes say: it
// tries again with the same operation id, asks by id, or gives up.
#pragma once

#include <optional>

#include "tests/support/invariants.hpp"
#include "tests/support/simulated_fleet.hpp"

namespace forkfleet::test {

/// How a client's wish ended, as far as the client knows.
enum class client_state : uint8_t { waiting, told, refused, gave_up };

class simulated_client {
public:
  /// Wants `request` done; begins at `start`.
  simulated_client(branch_request request, world::time_point start);
  simulated_client(restore_request request, world::time_point start);

  /// Does what is due: sends, or takes an answer and decides. Returns what is
  /// wrong with what it was told.
  std::string poll(simulated_fleet& fleet, endings& known);

  /// When it wants to be polled although no message came.
  world::time_point next() const { return next_; }
  client_state state() const { return state_; }
  bool is_over() const { return state_ != client_state::waiting; }
  const operation_id& operation() const { return operation_; }
  /// From now on it never gives up: the fleet is whole again.
  void insist() { may_give_up_ = false; }

private:
  /// The most tries before it gives up.
  static constexpr int tries_max = 40;

  void send(simulated_fleet& fleet);
  std::string take_report(const simulated_fleet& fleet,
                          const branch_report& report, endings& known);
  void take_error(simulated_fleet& fleet, ec code);
  void take_status(simulated_fleet& fleet, const operation_status& told,
                   std::string& wrong, endings& known);
  void again(simulated_fleet& fleet, bool by_id);

  operation_id operation_;
  std::optional<branch_request> branch_;
  std::optional<restore_request> restore_;
  world::time_point next_;
  client_state state_ = client_state::waiting;
  bool asks_by_id_ = false;
  bool may_give_up_ = true;
  int tries_ = 0;
  connection_ptr line_;
  answer<branch_report> branch_answer_;
  answer<restore_report> restore_answer_;
  answer<operation_status> status_answer_;
};

} // namespace forkfleet::test
