// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <random>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include "actors/descriptors.hpp"
#include "actors/directory_lock.hpp"
#include "actors/durable_counter.hpp"
#include "actors/link/link.hpp"
#include "actors/log.hpp"
#include "actors/system_config.hpp"
#include "config/options.hpp"
#include "config/startup.hpp"
#include "coordinator/coordinator.hpp"
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

/// Unix time less the steady clock's, for stamps that actors make.
microseconds unix_offset() {
  const auto unix = std::chrono::system_clock::now().time_since_epoch();
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<microseconds>(unix)
         - std::chrono::duration_cast<microseconds>(steady);
}

/// Takes the data directory and the next epoch from it.
expected<directory_lock> take_data(const std::string& path, uint64_t& epoch) {
  auto error = std::error_code{};
  std::filesystem::create_directories(path, error);
  if (error)
    return fail(ec::io_failed, path + ": " + error.message());
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

/// Serves until a signal comes, then ends in order.
int serve(signal_gate& signals, const config::fleet_file& fleet,
          coordinator_settings settings) {
  auto watchdog = end_watchdog{};
  auto system_settings = system_config{{.threads = 2}};
  auto sys = caf::actor_system{system_settings};
  if (auto own = check_node_identity(sys); !own)
    return fail_with(own.error());
  auto link = fleet_link{sys};
  const auto epoch = settings.epoch;
  auto served = sys.spawn(coordinator, std::move(settings), link.check_peer());
  const auto has_ended = watch_over(served);
  const auto& section = fleet.coordinator;
  const auto port = link.listen(
    {section.listen.host, section.listen.port},
    {section.tls.authority, section.tls.certificate, section.tls.key}, served);
  if (port)
    log::info("coordinator.ready",
              {{"listen", section.listen.to_string()}, {"epoch", epoch}});
  else
    fail_with(port.error());
  if (port)
    signals.wait();
  const bool is_lost = *has_ended;
  link.shut_down();
  caf::anon_send_exit(served, caf::exit_reason::user_shutdown);
  served = local_coordinator_actor{};
  watchdog.arm();
  if (is_lost)
    return fail_with({ec::interrupted, "the COORDINATOR ended by itself"});
  log::info("coordinator.ended");
  return port ? 0 : 1;
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
  return serve(signals, *fleet, std::move(settings));
}
