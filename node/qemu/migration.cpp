// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/migration.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "actors/bounded_text.hpp"
#include "node/copy_pace.hpp"

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

constexpr int pipe_bytes = 1 << 20;
constexpr int poll_interval_ms = 5;
constexpr auto clean_up_patience = std::chrono::seconds{2};

// QEMU's own limit is 128 MiB a second, its highest 16 TiB.
constexpr uint64_t bandwidth_max = 1ull << 44;

bool is_under_way(std::string_view status) {
  return !status.empty() && status != "none" && status != "completed"
         && status != "failed" && status != "cancelled";
}

status set_capabilities(qmp_client& qmp, bool background,
                        deadline_point until) {
  auto capability = [](const char* name, bool state) {
    return json{{"capability", name}, {"state", state}};
  };
  auto list = json::array();
  list.push_back(capability("events", true));
  list.push_back(capability("background-snapshot", background));
  return qmp
    .execute("migrate-set-capabilities", json{{"capabilities", list}}, until)
    .map([](const json&) {});
}

// An earlier capture that will not have been sent by then is not waited for.
status check_pace(const qmp_client& qmp, uint64_t first, uint64_t left,
                  steady_clock::time_point start, deadline_point until) {
  const auto since = [start](steady_clock::time_point x) {
    return std::chrono::duration_cast<std::chrono::microseconds>(x - start);
  };
  const auto pace = copy_pace{first, since(until)};
  const auto done = first - left;
  const auto elapsed = since(steady_clock::now());
  // Where QEMU does not tell, there is nothing to go by.
  if (done == 0 || !pace.is_too_slow(done, elapsed))
    return {};
  return fail(ec::branch_in_progress,
              qmp.path() + ": QEMU still sends an earlier capture: "
                + pace.text(done, elapsed) + "; ask again later");
}

failure why_it_failed(qmp_client& qmp, deadline_point until) {
  const auto asked = qmp.execute("query-migrate", until);
  auto reason =
    asked ? bounded_text(text_member(*asked, "error-desc")) : std::string{};
  if (reason.empty())
    reason = "QEMU gives no reason";
  return {ec::vmm_refused, qmp.path() + ": migration failed: " + reason};
}

bool is_migration(const qmp_event& event, std::string_view status) {
  return event.name == "MIGRATION"
         && text_member(event.data, "status") == status;
}

bool has_failed(const qmp_event& event) {
  return is_migration(event, "failed") || is_migration(event, "cancelled");
}

} // namespace

expected<pipe_ends> make_pipe() {
  auto ends = std::array<int, 2>{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected(errno_failure(errno, "pipe"));
  // An unprivileged user's limit may be lower: then it is only slower.
  ::fcntl(ends[0], F_SETPIPE_SZ, pipe_bytes);
  return pipe_ends{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

status wait_until_idle(qmp_client& qmp, deadline_point until) {
  const auto start = steady_clock::now();
  uint64_t first = 0; // what was left then
  for (;;) {
    const auto asked = qmp.execute("query-migrate", until);
    if (!asked)
      return tl::unexpected(asked.error());
    const auto state = text_member(*asked, "status");
    if (!is_under_way(state))
      return {};
    const auto left = number_member(member(*asked, "ram"), "remaining");
    first = std::max(first, left);
    if (auto slow = check_pace(qmp, first, left, start, until); !slow)
      return slow;
    if (steady_clock::now() >= until)
      return fail(ec::deadline_exceeded,
                  qmp.path() + ": an earlier capture is still being drained");
    ::poll(nullptr, 0, poll_interval_ms);
  }
}

status set_up_migration(qmp_client& qmp, bool background,
                        deadline_point until) {
  if (auto set = set_capabilities(qmp, background, until); !set)
    return set;
  return qmp
    .execute("migrate-set-parameters", json{{"max-bandwidth", bandwidth_max}},
             until)
    .map([](const json&) {});
}

status try_background_snapshot(qmp_client& qmp, deadline_point until) {
  auto tried = set_capabilities(qmp, true, until);
  if (!tried)
    return tried;
  return set_capabilities(qmp, false, until);
}

status give_fd(qmp_client& qmp, int fd, deadline_point until) {
  return qmp.execute("getfd", json{{"fdname", migration_fd_name}}, until, fd)
    .map([](const json&) {});
}

void take_back_fd(qmp_client& qmp) noexcept {
  // The next getfd of this name closes it, too.
  static_cast<void>(qmp
                      .execute("closefd", json{{"fdname", migration_fd_name}},
                               steady_clock::now() + clean_up_patience)
                      .has_value());
}

status start_migration(qmp_client& qmp, deadline_point until) {
  const auto uri = std::string{"fd:"} + migration_fd_name;
  return qmp.execute("migrate", json{{"uri", uri}}, until).map([](const json&) {
  });
}

expected<qmp_event> wait_in_migration(qmp_client& qmp, std::string_view name,
                                      deadline_point until) {
  auto event = qmp.wait_event_if(
    [name](const qmp_event& x) { return x.name == name || has_failed(x); },
    until);
  if (event && event->name != name)
    return tl::unexpected(why_it_failed(qmp, until));
  if (!event && event.error().code == ec::deadline_exceeded)
    return fail(ec::deadline_exceeded,
                qmp.path() + ": no event " + std::string{name} + " in time");
  return event;
}

status wait_until_completed(qmp_client& qmp, deadline_point until) {
  auto event = qmp.wait_event_if(
    [](const qmp_event& x) {
      return is_migration(x, "completed") || has_failed(x);
    },
    until);
  if (!event && event.error().code == ec::deadline_exceeded)
    return fail(ec::deadline_exceeded,
                qmp.path() + ": the migration did not complete in time");
  if (!event)
    return tl::unexpected(event.error());
  if (has_failed(*event))
    return tl::unexpected(why_it_failed(qmp, until));
  return {};
}

} // namespace forkfleet::qemu
