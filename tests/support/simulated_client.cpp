// SPDX-License-Identifier: Apache-2.0
#include "tests/support/simulated_client.hpp"

#include <utility>

namespace forkfleet::test {

using namespace std::chrono_literals;

namespace {

/// How long a client waits for an answer at all.
constexpr auto patience = 12s;
constexpr auto query_patience = 3s;

/// The answer, taken once; empty while there is none.
template <class Reply>
std::optional<expected<Reply>> take(answer<Reply>& waiting) {
  if (!waiting || !waiting->has_value())
    return std::nullopt;
  auto result = std::move(*waiting);
  waiting.reset();
  return result;
}

} // namespace

simulated_client::simulated_client(branch_request request,
                                   world::time_point start)
  : operation_(request.operation), branch_(std::move(request)), next_(start) {}

simulated_client::simulated_client(restore_request request,
                                   world::time_point start)
  : operation_(request.operation), restore_(std::move(request)), next_(start) {}

std::string simulated_client::poll(simulated_fleet& fleet, endings& known) {
  auto wrong = std::string{};
  if (is_over())
    return wrong;
  if (const auto told = take(branch_answer_)) {
    if (*told)
      wrong = take_report(fleet, **told, known);
    else
      take_error(fleet, told->error().code);
  } else if (const auto child = take(restore_answer_)) {
    if (*child)
      state_ = client_state::told;
    else
      take_error(fleet, child->error().code);
  } else if (const auto found = take(status_answer_)) {
    if (*found)
      take_status(fleet, **found, wrong, known);
    else
      again(fleet, true);
  } else if (fleet.w.now() >= next_ && !branch_answer_ && !restore_answer_
             && !status_answer_) {
    send(fleet);
  }
  return wrong;
}

void simulated_client::send(simulated_fleet& fleet) {
  if (!fleet.coordinator_is_up)
    return again(fleet, asks_by_id_);
  if (++tries_ > tries_max) {
    state_ = client_state::gave_up;
    return;
  }
  const auto coordinator = fleet.dial(line_);
  if (asks_by_id_)
    status_answer_ = fleet.w.ask<operation_status>(coordinator, query_patience,
                                                   operation_query{operation_});
  else if (branch_)
    branch_answer_ =
      fleet.w.ask<branch_report>(coordinator, patience, *branch_);
  else
    restore_answer_ =
      fleet.w.ask<restore_report>(coordinator, patience, *restore_);
}

std::string simulated_client::take_report(const simulated_fleet& fleet,
                                          const branch_report& report,
                                          endings& known) {
  state_ = client_state::told;
  return fleet.has_begun(report.operation) ? known.add(report)
                                           : check_report(report);
}

void simulated_client::take_error(simulated_fleet& fleet, ec code) {
  switch (group_of(code)) {
    case ec_group::later:
      return again(fleet, false);
    case ec_group::unknown:
      if (may_give_up_ && fleet.w.dice(10) == 0)
        state_ = client_state::gave_up;
      else
        again(fleet, branch_.has_value() && fleet.w.dice(2) == 0);
      return;
    default:
      state_ = client_state::refused;
  }
}

void simulated_client::take_status(simulated_fleet& fleet,
                                   const operation_status& told,
                                   std::string& wrong, endings& known) {
  switch (told.state) {
    case operation_state::ended:
      wrong = take_report(fleet, told.report, known);
      return;
    case operation_state::running:
      return again(fleet, true);
    case operation_state::unknown:
      return again(fleet, false);
  }
}

void simulated_client::again(simulated_fleet& fleet, bool by_id) {
  asks_by_id_ = by_id;
  next_ = fleet.w.now() + 100ms + 1ms * fleet.w.dice(900);
}

} // namespace forkfleet::test
