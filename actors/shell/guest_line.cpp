// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/guest_line.hpp"

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/base64.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/exit_code.hpp"
#include "actors/shell/lost_answer.hpp"

namespace forkfleet::shell {
namespace {

constexpr std::size_t script_bytes_max = 64 * 1024;
constexpr milliseconds file_patience{60'000};
constexpr milliseconds file_wait{250};
constexpr milliseconds file_slack{3000};
/// For a guest to end what we began in it.
constexpr milliseconds tidy_patience{10'000};

std::function<bool(std::string_view)> keeper(std::string& text) {
  return [&text](std::string_view piece) {
    text.append(piece.substr(0, script_bytes_max
                                  - std::min(script_bytes_max, text.size())));
    return true;
  };
}

} // namespace

status succeeded(const expected<script_end>& x) {
  if (!x)
    return tl::unexpected{x.error()};
  if (x->status == 0)
    return {};
  auto why = x->errors;
  while (why.ends_with('\n'))
    why.pop_back();
  return fail(ec::vmm_refused,
              why.empty()
                ? fmt::format("a script in the guest ended with {}", x->status)
                : why);
}

guest_line::guest_line() {
  std::signal(SIGPIPE, SIG_IGN);
}

void guest_line::reach(client& fleet, const sandbox_id& sandbox) {
  fleet_ = &fleet;
  sandbox_ = sandbox;
}

bool guest_line::is_stopped() {
  for (int number = signals_.take(); number != 0; number = signals_.take())
    if (stops_++ == 0) {
      first_signal_ = number;
      stopped_ = now();
    }
  return stops_ > 0 && !is_tidying_;
}

exit_code guest_line::end_code() {
  static_cast<void>(is_stopped());
  return stops_ > 0 ? exit_code_after(first_signal_) : exit_code::done;
}

void guest_line::leave(exit_code code) {
  _exit(static_cast<int>(code));
}

void guest_line::leave_if_late() {
  const auto code = end_code();
  if (stops_ > 1 || (stops_ > 0 && now() - stopped_ > tidy_patience))
    leave(code);
}

void guest_line::wait(milliseconds limit) {
  auto entry = pollfd{.fd = signals_.handle(), .events = POLLIN, .revents = 0};
  ::poll(&entry, 1, static_cast<int>(limit.count()));
}

template <class Reply, class Request>
expected<Reply> guest_line::ask(const Request& request, milliseconds limit) {
  auto answer = std::async(std::launch::async, [this, &request, limit] {
    return fleet_->ask<Reply>(request, limit);
  });
  while (answer.wait_for(glance) != std::future_status::ready)
    leave_if_late();
  leave_if_late();
  return answer.get();
}

expected<program_end> guest_line::run(exec_request start,
                                      const program_sinks& sinks) {
  start.sandbox = sandbox_;
  if (start.operation.empty())
    start.operation = new_operation_id();
  return run_program(
    start, sinks,
    {.ask = [this](const exec_request& x,
                   milliseconds limit) { return ask<exec_report>(x, limit); },
     .wait = [this](milliseconds limit) { wait(limit); },
     .now = [] { return now(); },
     .is_stopped = [this] { return is_stopped(); }});
}

expected<script_end>
guest_line::run_script(const std::string& script,
                       const std::vector<std::string>& arguments,
                       milliseconds limit) {
  auto words = std::vector<std::string>{"/bin/sh", "-c", script, "sh"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  auto result = script_end{};
  const auto end = run({.arguments = std::move(words), .limit = limit},
                       {keeper(result.output), keeper(result.errors)});
  if (!end)
    return tl::unexpected{end.error()};
  if (end->was_stopped)
    return fail(ec::cancelled, "interrupted");
  if (end->was_late)
    return fail(ec::deadline_exceeded,
                "a script in the guest did not end in time");
  result.status = end->status;
  return result;
}

expected<file_report> guest_line::ask_file(file_request request) {
  request.sandbox = sandbox_;
  request.deadline = access_deadline;
  const auto give_up = now() + file_patience;
  for (;;) {
    auto answer = ask<file_report>(request, access_deadline + file_slack);
    if (is_stopped())
      return fail(ec::cancelled, "interrupted");
    if (answer || !is_open(answer.error(), true) || now() >= give_up)
      return answer;
    wait(file_wait);
  }
}

status write_file(guest_line& guest, const std::string& path,
                  std::string_view content) {
  auto offset = uint64_t{0};
  while (!content.empty()) {
    const auto piece = content.substr(0, guest_bytes_max);
    const auto written = guest.ask_file({.action = file_action::write,
                                         .path = path,
                                         .offset = offset,
                                         .content = to_base64(piece)});
    if (!written)
      return tl::unexpected{written.error()};
    offset += piece.size();
    content.remove_prefix(piece.size());
  }
  return {};
}

} // namespace forkfleet::shell
