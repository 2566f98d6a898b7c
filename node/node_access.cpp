// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "actors/log.hpp"
#include "actors/same_request.hpp"
#include "node/agent/guest_access.hpp"
#include "node/console_piece.hpp"
#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"
#include "node/waiting_work.hpp"

namespace forkfleet::node_work {

namespace {

/// An agent is let go when nobody asked it for so long.
constexpr auto keep_limit = std::chrono::seconds{2};

/// As many starts of programs are remembered.
constexpr std::size_t starts_max = 4096;

/// What a worker does with a guest, or with its console.
template <class Report>
using access_work = std::function<expected<Report>(deadline_point)>;

/// The next line whose turn it is; none when those that are left may only
/// get a worker later.
std::optional<access_state::key> next_line(access_state& access) {
  const auto may_wait = access.waiting < access_hands_max / 2;
  const auto found = std::ranges::find_if(access.ready, [&](const auto& key) {
    return may_wait || !access.lines.at(key).is_silent;
  });
  if (found == access.ready.end())
    return {};
  const auto key = *found;
  access.ready.erase(found);
  return key;
}

/// Gives a line with work to each worker that has none, and hires more.
void pump(node_pointer self) {
  auto& access = self->state.access;
  while (!access.idle.empty() || access.hands.size() < access_hands_max) {
    const auto key = next_line(access);
    if (!key)
      return;
    if (access.idle.empty()) {
      access.hands.push_back(hire(self));
      access.idle.push_back(access.hands.back());
    }
    auto& line = access.lines.at(*key);
    const auto hand = access.idle.back();
    access.idle.pop_back();
    line.is_busy = true;
    access.waiting += line.is_silent ? 1 : 0;
    const auto start = std::move(line.queue.front());
    line.queue.pop_front();
    start(hand);
  }
}

/// A line's turn comes again at the end of all that are ready.
void finish(node_pointer self, const access_state::key& key,
            const host_worker_actor& hand, bool is_silent) {
  auto& access = self->state.access;
  auto& line = access.lines.at(key);
  access.waiting -= line.is_silent ? 1 : 0;
  line.is_silent = is_silent;
  line.is_busy = false;
  line.last = self->clock().now();
  if (!line.queue.empty())
    access.ready.push_back(key);
  access.idle.push_back(hand);
  if (!std::exchange(access.is_reminded, true))
    self->delayed_send(self, caf::timespan{keep_limit}, tick{access_reminder});
  pump(self);
  if (access.hands.size() > access_hands_min && !access.idle.empty()) {
    dismiss(self, access.hands, access.idle.back());
    access.idle.pop_back();
  }
}

/// Whether a guest kept its worker waiting.
bool is_waiting_code(ec code) {
  return code == ec::deadline_exceeded || code == ec::vmm_unreachable;
}

/// Why nothing can be asked of this sandbox' agent.
status check_agent(const sandbox_info& info) {
  using enum sandbox_state;
  const auto name = "sandbox '" + info.id.value + "' ";
  if (info.state == starting)
    return fail(ec::not_ready, name + "is starting: " + info.note);
  if (info.state == stuck || info.state == stopped || info.state == gone)
    return fail(ec::vmm_gone,
                fmt::format("{}is {}{}{}", name, schema::name_of(info.state),
                            info.note.empty() ? "" : ": ", info.note));
  if (info.agent.empty())
    return fail(ec::unsupported,
                name
                  + "has no port for a guest agent: give it 'guest_agent: "
                    "true' in the fleet file (driver qemu), and its guest "
                    "qemu-guest-agent");
  return {};
}

expected<const sandbox_info*> find(node_pointer self, const sandbox_id& id,
                                   uint64_t epoch) {
  auto& st = self->state;
  if (auto fine = uplink::obey(self, epoch); !fine)
    return tl::unexpected(fine.error());
  if (st.draining)
    return fail(ec::shutting_down, "this node is going down");
  const auto it = st.sandboxes.find(id);
  if (it == st.sandboxes.end())
    return fail(ec::unknown_sandbox, id.value);
  return &it->second.info;
}

/// Has a worker do `work` when it is the line's turn.
template <class Report>
caf::result<Report> run(node_pointer self, const access_state::key& key,
                        milliseconds asked, access_work<Report> work) {
  auto& access = self->state.access;
  auto& line = access.lines[key];
  if (line.queue.size() >= access_queue_max)
    return to_caf_error(ec::node_busy,
                        fmt::format("{} requests wait for sandbox '{}'",
                                    access_queue_max, key.first.value));
  const auto limit =
    asked.count() > 0 ? std::min(asked, access_deadline_max) : access_deadline;
  const auto* clock = &self->home_system().clock();
  const auto until = clock->now() + limit;
  auto promise = self->make_response_promise<Report>();
  auto result = std::make_shared<expected<Report>>(
    fail(ec::interrupted, "the work failed half-way"));
  auto job = host_job{[work = std::move(work), result, clock, until,
                       is_ending = self->state.upkeep.is_ending] {
    // Set when the node drains.
    if (*is_ending)
      *result = fail(ec::shutting_down, "this node is going down");
    else if (clock->now() >= until)
      *result = fail(ec::deadline_exceeded, "its turn did not come in time");
    else
      *result = work(until);
    return host_answer{};
  }};
  line.queue.push_back([self, key, job = std::move(job), promise,
                        result](const host_worker_actor& hand) mutable {
    run_on(self, hand, job,
           [self, key, hand, promise, result](const host_answer& x) mutable {
             if (x.outcome)
               promise.deliver(to_caf_error(x.outcome));
             else if (*result)
               promise.deliver(**result);
             else
               promise.deliver(to_caf_error(result->error()));
             finish(self, key, hand,
                    !*result && is_waiting_code(result->error().code));
           });
  });
  if (!line.is_busy && line.queue.size() == 1)
    access.ready.push_back(key);
  pump(self);
  return promise;
}

/// The same with the guest's agent.
template <class Report, class Request, class Do>
caf::result<Report> run_in_guest(node_pointer self, const Request& request,
                                 Do work) {
  if (auto fine = check(request); !fine)
    return to_caf_error(fine.error());
  const auto info = find(self, request.sandbox, request.epoch);
  if (!info)
    return to_caf_error(info.error());
  if (auto fine = check_agent(**info); !fine)
    return to_caf_error(fine.error());
  const auto key = access_state::key{request.sandbox, false};
  auto& seat = self->state.access.lines[key].seat;
  // A sandbox of the same name may have another port.
  if (!seat || seat->path() != (*info)->agent)
    seat = std::make_shared<agent_seat>((*info)->agent);
  return run<Report>(self, key, request.deadline,
                     [seat = seat, request, work](deadline_point until) {
                       return seat->with(until, [&](guest_agent& agent) {
                         return work(agent, request, until);
                       });
                     });
}

/// operation_conflict when the program's id started another one before.
status note_start(node_pointer self, const exec_request& request) {
  if (request.action != exec_action::start)
    return {};
  auto& access = self->state.access;
  const auto digest = request_digest(request);
  const auto [known, is_new] =
    access.starts.try_emplace(request.operation, digest);
  if (!is_new)
    return known->second == digest
             ? status{}
             : tl::unexpected{conflict_of(request.operation,
                                          "sandbox, arguments, environment, "
                                          "directory, has_input or limit_ms")};
  access.start_order.push_back(request.operation);
  if (access.start_order.size() <= starts_max)
    return {};
  access.starts.erase(access.start_order.front());
  access.start_order.pop_front();
  return {};
}

} // namespace

caf::result<exec_report> on_exec(node_pointer self,
                                 const exec_request& request) {
  if (!is_valid(request.operation))
    return to_caf_error(ec::invalid_request,
                        "operation must be a name of letters, digits, '-' "
                        "and '_'");
  if (request.action == exec_action::start
      || request.action == exec_action::kill)
    log::info("exec.asked", {{"operation", request.operation},
                             {"sandbox", request.sandbox},
                             {"action", schema::name_of(request.action)}});
  if (auto fine = note_start(self, request); !fine)
    return to_caf_error(fine.error());
  return run_in_guest<exec_report>(self, request, do_exec);
}

caf::result<file_report> on_file(node_pointer self,
                                 const file_request& request) {
  return run_in_guest<file_report>(self, request, do_file);
}

caf::result<console_report> on_console(node_pointer self,
                                       const console_request& request) {
  const auto info = find(self, request.sandbox, request.epoch);
  if (!info)
    return to_caf_error(info.error());
  if ((*info)->console.empty())
    return to_caf_error(ec::unsupported,
                        fmt::format("the output of the console of sandbox "
                                    "'{}' is not kept (driver {})",
                                    request.sandbox.value, (*info)->driver));
  return run<console_report>(
    self, {request.sandbox, true}, request.deadline,
    [path = (*info)->console, request](deadline_point) {
      return read_console(path, request);
    });
}

void leave_guests(node_pointer self) {
  auto& access = self->state.access;
  const auto now = self->clock().now();
  std::erase_if(access.lines, [now](const auto& item) {
    const auto& line = item.second;
    return !line.is_busy && line.queue.empty() && now - line.last >= keep_limit;
  });
  access.is_reminded = !access.lines.empty();
  if (access.is_reminded)
    self->delayed_send(self, caf::timespan{keep_limit}, tick{access_reminder});
}

} // namespace forkfleet::node_work
