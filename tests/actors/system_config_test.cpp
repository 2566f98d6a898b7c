// SPDX-License-Identifier: Apache-2.0
#include "actors/system_config.hpp"

#include <csignal>
#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/node_id.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include "actors/harden.hpp"
#include "actors/interfaces.hpp"
#include "tests/support/child_program.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

using echo_actor = caf::typed_actor<caf::replies_to<stop_request>::with<done>>;

echo_actor::behavior_type echo(echo_actor::pointer self) {
  harden(self);
  return {
    [](const stop_request& x) -> done {
      if (x.sandbox.value == "throw")
        throw std::runtime_error{"as asked"};
      return {x.sandbox.value};
    },
  };
}

struct echo_fixture {
  system_config config{{.network = false}};
  caf::actor_system sys{config};
  echo_actor target = sys.spawn(echo);
  caf::scoped_actor self{sys};

  ~echo_fixture() {
    caf::anon_send_exit(target, caf::exit_reason::user_shutdown);
  }

  template <class Target, class Request>
  expected<done> ask(const Target& whom, const Request& request) {
    auto answer = expected<done>{fail(ec::interrupted, "no answer")};
    self->request(whom, 10s, request)
      .receive([&answer](const done& x) { answer = x; },
               [&answer](const caf::error& x) {
                 answer = tl::unexpected(from_caf_error(x));
               });
    return answer;
  }
  bool answers() {
    const auto answer = ask(target, stop_request{.sandbox = {"a"}});
    return answer && answer->note == "a";
  }
};

} // namespace

TEST_CASE("two systems are two programs", "[actors][identity][safety]") {
  auto config = system_config{{.threads = 1}};
  auto other_config = system_config{{.threads = 1}};
  auto first = caf::actor_system{config};
  auto second = caf::actor_system{other_config};
  CHECK(first.node() != second.node());
  CHECK(check_node_identity(first));
}

TEST_CASE("two programs of the same number are two programs",
          "[actors][identity][safety]") {
  auto first = test::child_program{"fake_coordinator", {}};
  auto second = test::child_program{"fake_coordinator", {}};
  first.read_line();
  second.read_line();
  const auto node = first.read_line();
  CHECK_FALSE(node.empty());
  CHECK(node != second.read_line());
}

TEST_CASE("a program with CAF's own identity refuses to run",
          "[actors][identity][safety]") {
  auto probe = test::child_program{"identity_probe", {}};
  CHECK(probe.read_line().find("forkfleet_identity") != std::string::npos);
  CHECK(probe.wait() == 1);
}

TEST_CASE("CAF gets the settings that we measured", "[actors][system]") {
  const auto config = system_config{};
  CHECK(caf::get_or(config, "scheduler.policy", caf::atom("none"))
        == caf::atom("sharing"));
  CHECK(caf::get_or(config, "middleman.heartbeat-interval", caf::timespan{})
        == 1s);
  CHECK(caf::get_or(config, "middleman.connection-timeout", caf::timespan{})
        == 5s);
  CHECK_FALSE(
    caf::get_or(config, "middleman.enable-automatic-connections", true));
}

TEST_CASE_METHOD(echo_fixture, "our errors are told in words",
                 "[actors][system]") {
  CHECK(sys.render(to_caf_error(ec::disk_full, "/data")) == "disk_full: /data");
}

TEST_CASE_METHOD(echo_fixture, "a stranger's message is refused, not obeyed",
                 "[actors][harden][safety]") {
  const auto whom = caf::actor_cast<caf::actor>(target);
  const auto answer = ask(whom, nodes_request{});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ec::invalid_request);
  CHECK(answers());
}

TEST_CASE_METHOD(echo_fixture, "stray errors and exits do not end an actor",
                 "[actors][harden][safety]") {
  caf::anon_send(caf::actor_cast<caf::actor>(target),
                 to_caf_error(ec::io_failed, "stray"));
  caf::anon_send_exit(target, caf::exit_reason::unhandled_exception);
  CHECK(answers());
}

TEST_CASE_METHOD(echo_fixture, "an exception is told to who asked",
                 "[actors][harden]") {
  const auto answer = ask(target, stop_request{.sandbox = {"throw"}});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ec::interrupted);
  CHECK(answer.error().message.find("as asked") != std::string::npos);
}

TEST_CASE("a signal is waited for, and others do not come",
          "[actors][system]") {
  auto signals = signal_gate{};
  CHECK_FALSE(signals.wait_for(1ms));
  ::kill(::getpid(), SIGHUP);
  CHECK(signals.wait_for(10s) == SIGHUP);
  ::kill(::getpid(), SIGTERM);
  CHECK(signals.wait() == SIGTERM);
}

TEST_CASE("a watchdog that is not needed ends quietly", "[actors][system]") {
  auto watchdog = end_watchdog{};
  watchdog.arm(1h);
  watchdog.arm(0ms);
}
