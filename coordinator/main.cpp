// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <random>
#include <unistd.h>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include "actors/descriptors.hpp"
#include "actors/directory_lock.hpp"
#include "actors/durable_counter.hpp"
#include "actors/durable_file.hpp"
#include "actors/link/link.hpp"
#include "actors/log.hpp"
#include "actors/system_config.hpp"
#include "config/options.hpp"
#include "config/startup.hpp"
#include "coordinator/audit_log.hpp"
#include "coordinator/coordinator.hpp"
#include "coordinator/denials.hpp"
#include "coordinator/doors.hpp"
#include "coordinator/settings.hpp"

namespace {

using namespace forkfleet;

const config::command_line program{
  .name = "forkfleet-coordinator",
  .summary = "Routes what clients ask to the nodes of a fleet.",
  .version = FORKFLEET_VERSION,
  .verbs = {{.path = "",
             .summary = "Serve until SIGTERM.",
             .options = {{.name = "fleet",
                          .kind = config::value_kind::text,
                          .placeholder = "FILE",
                          .doc = "The fleet file.",
                          .required = true}},
             .examples = {"forkfleet-coordinator --fleet fleet.yaml"}}}};

int fail_with(const failure& why) {
  log::error("coordinator.failed", {{"reason", why}});
  return 1;
}

/// How often the fleet file is looked at.
constexpr milliseconds look_at_file{1000};

/// Unix time less the steady clock's, for stamps that actors make.
microseconds unix_offset() {
  const auto unix = std::chrono::system_clock::now().time_since_epoch();
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<microseconds>(unix)
         - std::chrono::duration_cast<microseconds>(steady);
}

/// Takes the data directory and the next epoch from it.
expected<directory_lock> take_data(const std::string& path, uint64_t& epoch) {
  if (auto made = make_directories(path); !made)
    return tl::unexpected(made.error());
  auto lock = directory_lock::take(path);
  if (!lock)
    return lock;
  auto next = durable_counter{path + "/epoch"}.next();
  if (!next)
    return tl::unexpected(next.error());
  epoch = *next;
  return lock;
}

/// Ends the wait for a signal when the actor ends without being asked: who
/// started this program starts it again.
template <class Handle>
std::shared_ptr<std::atomic<bool>> watch_over(const Handle& actor) {
  auto has_ended = std::make_shared<std::atomic<bool>>(false);
  actor->attach_functor([has_ended](const caf::error&) {
    has_ended->store(true);
    ::kill(::getpid(), SIGTERM);
  });
  return has_ended;
}

/// Listens at all doors; names them.
expected<std::string> open_doors(fleet_link& link,
                                 const config::fleet_file& fleet,
                                 const coordinator_actor& served) {
  auto names = std::string{};
  for (const auto& x : doors_of(fleet)) {
    if (auto port = link.listen(x.where, x.proof, served); !port)
      return tl::unexpected(port.error());
    names += (names.empty() ? "" : " ") + to_string(x.where);
  }
  return names;
}

/// Until a signal asks for the end. SIGHUP, and a fleet file that has
/// changed, bring its list of who is denied into force.
void await_end(signal_gate& signals, denial_watch& denials, fleet_link& link) {
  for (;;) {
    const auto signal = signals.wait_for(look_at_file);
    if (signal && *signal != SIGHUP)
      return;
    if (denials.look(signal.has_value()))
      link.deny(denials.entries());
  }
}

/// What the program has beside its actors.
struct program_parts {
  signal_gate& signals;
  const config::fleet_file& fleet;
  denial_watch& denials;
  audit_log& audit;
};

/// Serves until a signal comes, then ends in order.
int serve(program_parts parts, coordinator_settings settings) {
  auto watchdog = end_watchdog{};
  auto system_settings = system_config{{.threads = 2}};
  auto sys = caf::actor_system{system_settings};
  if (auto own = check_node_identity(sys); !own)
    return fail_with(own.error());
  auto link = fleet_link{sys};
  const auto epoch = settings.epoch;
  auto access = coordinator_access{link.check_peer()};
  access.who_is = link.subjects();
  access.audit = [&parts](const audit_record& x) { parts.audit.write(x); };
  auto served = sys.spawn(coordinator, std::move(settings), std::move(access));
  const auto has_ended = watch_over(served);
  parts.denials.look(true);
  link.deny(parts.denials.entries());
  const auto doors = open_doors(link, parts.fleet, served);
  if (doors)
    log::info("coordinator.ready", {{"listen", *doors}, {"epoch", epoch}});
  else
    fail_with(doors.error());
  if (doors)
    await_end(parts.signals, parts.denials, link);
  const bool is_lost = *has_ended;
  link.shut_down();
  caf::anon_send_exit(served, caf::exit_reason::user_shutdown);
  served = local_coordinator_actor{};
  watchdog.arm();
  if (is_lost)
    return fail_with({ec::interrupted, "the COORDINATOR ended by itself"});
  log::info("coordinator.ended");
  return doors ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  raise_descriptor_limit();
  auto signals = signal_gate{};
  const auto given = config::parse(program, {argv + 1, argv + argc});
  if (!given)
    return config::print(given.error());
  const auto fleet = config::load_or_print(given->text("fleet"));
  if (!fleet)
    return config::wrong_file_exit_code;
  auto settings = settings_of(*fleet);
  const auto lock = take_data(fleet->coordinator.data, settings.epoch);
  if (!lock)
    return fail_with(lock.error());
  settings.seed = std::random_device{}();
  settings.unix_offset = unix_offset();
  if (auto ready = prepare_doors(*fleet); !ready)
    return fail_with(ready.error());
  const auto audit =
    audit_log::open(config::audit_path(*fleet),
                    {.file_bytes_max = fleet->access.audit_bytes.value,
                     .files_max = fleet->access.audit_files});
  if (!audit)
    return fail_with(audit.error());
  const auto note_life = [&audit](const char* event) {
    const auto unix = std::chrono::system_clock::now().time_since_epoch();
    (*audit)->write({.at = std::chrono::duration_cast<microseconds>(unix),
                     .event = event,
                     .subject = "uid:" + std::to_string(::geteuid())});
  };
  note_life("started");
  auto denials = denial_watch{given->text("fleet"), fleet->access.denied};
  const auto code =
    serve({signals, *fleet, denials, **audit}, std::move(settings));
  note_life("ended");
  return code;
}
