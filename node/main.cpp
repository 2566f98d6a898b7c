// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <csignal>
#include <memory>
#include <unistd.h>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include "actors/descriptors.hpp"
#include "actors/link/link.hpp"
#include "actors/log.hpp"
#include "actors/pki.hpp"
#include "actors/system_config.hpp"
#include "config/options.hpp"
#include "config/startup.hpp"
#include "node/confinement.hpp"
#include "node/host_setup.hpp"

namespace {

using namespace forkfleet;
using config::value_kind;

const config::command_line program{
  .name = "forkfleet-node",
  .summary = "Runs the sandboxes of one host and branches them.",
  .version = FORKFLEET_VERSION,
  .verbs = {
    {.path = "",
     .summary = "Serve until SIGTERM.",
     .options = {{.name = "fleet",
                  .kind = value_kind::text,
                  .placeholder = "FILE",
                  .doc = "The fleet file.",
                  .required = true},
                 {.name = "host",
                  .kind = value_kind::text,
                  .placeholder = "NAME",
                  .doc = "Which host of the fleet file this is.",
                  .required = true},
                 {.name = "leash",
                  .kind = value_kind::number,
                  .placeholder = "PID",
                  .doc = "VMs started here must not outlive this process.",
                  .initial = "0",
                  .max = 1u << 30},
                 {.name = "stop-sandboxes",
                  .doc = "End the VMs when this program is asked to end. "
                         "Otherwise they run on, and its next start adopts "
                         "them."}},
     .examples = {"forkfleet-node --fleet fleet.yaml --host h1"}}}};

/// Branches in flight have this long to end when the program is to end.
constexpr auto drain_grace = milliseconds{20000};

int fail_with(int code, const failure& why) {
  log::error("node.failed", {{"reason", why}});
  return code;
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
          host_setup setup) {
  const auto host = setup.settings.host;
  const auto section = find_host(fleet, host);
  const auto tls = tls_material{
    section->tls.authority, section->tls.certificate, section->tls.key, {}};
  if (!tls.empty())
    if (auto fine = pki::check(tls); !fine)
      return fail_with(1, fine.error());
  auto watchdog = end_watchdog{};
  auto settings = system_config{{.threads = 2}};
  settings.add_message_types<caf::id_block::forkfleet_node>();
  auto sys = caf::actor_system{settings};
  if (auto own = check_node_identity(sys); !own)
    return fail_with(1, own.error());
  auto link = fleet_link{sys};
  const auto& listen = fleet.coordinator.listen;
  auto connector =
    link.connector(config::has_certificates(fleet)
                     ? link_endpoint{listen.host, listen.port, {}}
                     : link_endpoint{{}, 0, config::local_door(fleet)},
                   tls);
  auto served = sys.spawn(node, std::move(setup.settings),
                          std::move(setup.services), connector);
  const auto has_ended = watch_over(served);
  log::info("node.ready", {{"host", host}});
  signals.wait();
  const bool is_lost = *has_ended;
  if (!is_lost) {
    auto self = caf::scoped_actor{sys};
    self
      ->request(served, caf::timespan{drain_grace * 4},
                drain_request{drain_grace})
      .receive([](const done&) {},
               [](const caf::error& error) {
                 log::warn("drain.failed", {{"reason", from_caf_error(error)}});
               });
  }
  served = local_node_actor{};
  connector = connector_actor{};
  link.shut_down();
  watchdog.arm();
  if (is_lost)
    return fail_with(1, {ec::interrupted, "the NODE ended by itself"});
  log::info("node.ended", {{"host", host}});
  return 0;
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
  // Before there are threads, each of which would have capabilities.
  if (auto kept = keep_only(node_capabilities()); !kept)
    return fail_with(1, kept.error());
  const auto leash = static_cast<int>(given->number("leash").value_or(0));
  auto setup =
    set_up_host(*fleet, {.host = {given->text("host")},
                         .leash_pid = leash,
                         .stop_sandboxes = given->has("stop-sandboxes")});
  if (!setup)
    return fail_with(
      setup.error().code == ec::invalid_request ? config::usage_exit_code : 1,
      setup.error());
  return serve(signals, *fleet, std::move(*setup));
}
