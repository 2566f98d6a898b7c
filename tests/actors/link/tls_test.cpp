// SPDX-License-Identifier: Apache-2.0
#include "actors/link/tls.hpp"

#include <filesystem>

#include <catch2/catch.hpp>
#include <openssl/ssl.h>

#include "tests/support/link_fixture.hpp"
#include "tests/support/pki_fixture.hpp"
#include "tests/support/tls_probe.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

struct tls_fixture {
  test::authority ours;
  test::authority theirs;
  tls_material served = ours.coordinator();
  test::program coordinator;
  uint16_t port = coordinator.serve(served);
  link_endpoint where{"127.0.0.1", port};

  ec refusal_of(const tls_material& tls) {
    test::program other;
    const auto found = other.connect(where, tls);
    return found ? ec::none : found.error().code;
  }
  /// What a node of ours says to a coordinator that has `tls`.
  failure refusal_for(const tls_material& tls) {
    test::program other;
    const auto at = other.serve(tls);
    test::program node;
    const auto found = node.connect({"127.0.0.1", at}, ours.node("h1"));
    return found ? failure{} : found.error();
  }
};

bool mentions(const failure& x, std::string_view words) {
  INFO(to_string(x));
  CHECK(x.message.find(words) != std::string::npos);
  return x.code == ec::not_permitted;
}

} // namespace

TEST_CASE_METHOD(tls_fixture, "a node joins with its own certificate",
                 "[actors][tls]") {
  test::program node;
  const auto files = ours.node("h1");
  REQUIRE(node.join(where, files, "h1"));
  auto tool = test::make_client(port, ours.client("ann"));
  const auto report =
    tool.ask<branch_report>(branch_request{.sandbox = {"on-h1"}}, 5s);
  REQUIRE(report);
  CHECK(report->host.value == "h1");
}

TEST_CASE_METHOD(tls_fixture, "a name that is looked up is checked too",
                 "[actors][tls]") {
  test::program node;
  CHECK(node.join({"localhost", port}, ours.node("h1"), "h1"));
}

TEST_CASE_METHOD(tls_fixture, "a node speaks for no host but its own",
                 "[actors][tls][safety]") {
  test::program node;
  const auto joined = node.join(where, ours.node("h1"), "h2");
  REQUIRE_FALSE(joined);
  CHECK(joined.error().code == ec::not_permitted);
  CHECK(mentions(joined.error(), "node:h1 speaks for its own host alone"));
  CHECK(coordinator.link().counters().frames_refused == 1);
}

TEST_CASE_METHOD(tls_fixture, "a client's certificate makes no node",
                 "[actors][tls][safety]") {
  test::program tool;
  const auto joined = tool.join(where, ours.client("ann"), "h1");
  REQUIRE_FALSE(joined);
  CHECK(mentions(joined.error(), "client:ann may not send this message"));
  CHECK(coordinator.link().counters().frames_refused == 1);
}

TEST_CASE_METHOD(tls_fixture, "a node's certificate makes no client",
                 "[actors][tls][safety]") {
  auto tool = test::make_client(port, ours.node("h1"), 500ms);
  const auto told = tool.ask<done>(stop_request{.sandbox = {"web"}}, 5s);
  REQUIRE_FALSE(told);
  CHECK(mentions(told.error(), "node:h1 may not send this message"));
  CHECK(coordinator.link().counters().frames_refused == 1);
}

TEST_CASE_METHOD(tls_fixture, "who is not of our authority is refused",
                 "[actors][tls][safety]") {
  auto mixed = theirs.node("h1");
  mixed.authority = served.authority;
  CHECK(refusal_of(mixed) == ec::not_permitted);
  CHECK(refusal_of(theirs.node("h1")) == ec::not_permitted);
}

TEST_CASE_METHOD(tls_fixture, "an expired certificate is refused",
                 "[actors][tls][safety]") {
  CHECK(refusal_of(ours.node("h1", pki::days{-1})) == ec::not_permitted);
  CHECK(mentions(refusal_for(ours.coordinator({"127.0.0.1"}, pki::days{-1})),
                 "expired"));
}

TEST_CASE_METHOD(tls_fixture, "a coordinator's certificate cannot dial",
                 "[actors][tls][safety]") {
  CHECK(refusal_of(served) == ec::not_permitted);
}

TEST_CASE_METHOD(tls_fixture, "who has no certificate gets nothing",
                 "[actors][tls][safety]") {
  CHECK(refusal_of({}) == ec::node_down);
  const auto probe = test::probe_tls(port, TLS1_3_VERSION);
  CHECK_FALSE(probe.answered);
  CHECK(test::eventually(
    [&] { return coordinator.link().counters().handshakes_refused > 0; }));
}

TEST_CASE_METHOD(tls_fixture, "older versions of TLS are refused",
                 "[actors][tls][safety]") {
  const auto probe = test::probe_tls(port, TLS1_2_VERSION);
  CHECK_FALSE(probe.shook_hands);
}

TEST_CASE_METHOD(tls_fixture, "a coordinator of another name is refused",
                 "[actors][tls][safety]") {
  CHECK(mentions(refusal_for(ours.coordinator({"other.example"})), "mismatch"));
}

TEST_CASE_METHOD(tls_fixture, "a coordinator of another authority is refused",
                 "[actors][tls][safety]") {
  CHECK(mentions(refusal_for(theirs.coordinator()), "certificate"));
}

TEST_CASE_METHOD(tls_fixture, "a node's certificate makes no coordinator",
                 "[actors][tls][safety]") {
  CHECK(mentions(refusal_for(ours.node("h9")), "purpose"));
}

TEST_CASE_METHOD(tls_fixture, "a plain coordinator is refused with TLS",
                 "[actors][tls][safety]") {
  const auto why = refusal_for({});
  CHECK((why.code == ec::not_permitted || why.code == ec::node_down
         || why.code == ec::deadline_exceeded));
}

TEST_CASE_METHOD(tls_fixture, "certificates renewed in place are taken",
                 "[actors][tls]") {
  namespace fs = std::filesystem;
  REQUIRE(refusal_of(ours.node("h1")) == ec::none);
  const auto elsewhere = ours.coordinator({"other.example"});
  fs::rename(elsewhere.key, served.key);
  fs::rename(elsewhere.certificate, served.certificate);
  CHECK(refusal_of(ours.node("h1")) == ec::not_permitted);
}

TEST_CASE_METHOD(tls_fixture, "a certificate that is gone leaves the old one",
                 "[actors][tls][safety]") {
  std::filesystem::remove(served.certificate);
  CHECK(refusal_of(ours.node("h1")) == ec::none);
}

TEST_CASE_METHOD(tls_fixture, "files that do not fit are named",
                 "[actors][tls]") {
  test::program other;
  auto files = ours.coordinator();
  const auto stolen = ours.coordinator();
  const auto port_for = [&](const tls_material& tls) {
    return other.link().listen({"127.0.0.1", 0}, tls, other.make_coordinator());
  };
  auto wrong_key = files;
  wrong_key.key = stolen.key;
  CHECK(port_for(wrong_key).error().message.find(stolen.key) == 0);
  auto missing = files;
  missing.certificate += ".not";
  CHECK(port_for(missing).error().message.find(missing.certificate) == 0);
}

TEST_CASE("only our names have a role", "[actors][tls][safety]") {
  CHECK(role_of("node:h1") == peer_role::node);
  CHECK(role_of("client:ann") == peer_role::client);
  CHECK(role_of("coordinator") == peer_role::coordinator);
  const auto name =
    GENERATE(as<std::string>{}, "", "node:", "node:a/b", "client:-x",
             "coordinator ", "root", "node", "node:h1\n", "Node:h1");
  CHECK_FALSE(role_of(name));
}

TEST_CASE_METHOD(tls_fixture, "a key that others can read is refused",
                 "[actors][tls][safety]") {
  const auto files = ours.client("ann");
  std::filesystem::permissions(files.key, std::filesystem::perms{0644});
  test::program tool;
  const auto found = tool.connect(where, files);
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::invalid_request);
  CHECK(found.error().message.find("chmod 600") != std::string::npos);
}

TEST_CASE_METHOD(tls_fixture, "a certificate's role and serial are known",
                 "[actors][tls][safety]") {
  test::program tool;
  const auto files = ours.client("ann", access_role::operate);
  REQUIRE(tool.connect(where, files));
  const auto who = coordinator.link().subjects()(tool.system().node());
  CHECK(who.name == "client:ann");
  CHECK(who.role == access_role::operate);
  CHECK(who.serial == pki::inspect(files.certificate)->serial);
  CHECK(coordinator.link().subjects()(coordinator.system().node())
        == access_subject{});
}

TEST_CASE_METHOD(tls_fixture, "who is denied is told so, and ends at once",
                 "[actors][tls][safety]") {
  test::program tool;
  const auto files = ours.client("ann");
  REQUIRE(tool.connect(where, files));
  const auto other = ours.client("bob");
  test::program unattacked;
  REQUIRE(unattacked.connect(where, other));
  const auto by_serial = GENERATE(false, true);
  const auto serial = pki::inspect(files.certificate)->serial;
  coordinator.link().deny({by_serial ? "serial:" + serial : "client:ann"});
  CHECK(
    test::eventually([&] { return coordinator.link().counters().open == 1; }));
  test::program again;
  const auto refused = again.connect(where, files);
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error(), "revoked"));
  CHECK(test::program{}.connect(where, other));
}

TEST_CASE_METHOD(tls_fixture, "a certificate of no known name is told so",
                 "[actors][tls][safety]") {
  // Of our authority, and with a name that gives no role.
  const auto files = ours.foreign_name("robot:r2");
  test::program tool;
  const auto refused = tool.connect(where, files);
  REQUIRE_FALSE(refused);
  INFO(to_string(refused.error()));
  CHECK(refused.error().code == ec::not_permitted);
  CHECK(refused.error().message.find("truncated") == std::string::npos);
  CHECK(refused.error().message.find("TLS") != std::string::npos);
}

TEST_CASE_METHOD(tls_fixture, "a wrong name is told to both sides",
                 "[actors][tls]") {
  CHECK(mentions(refusal_for(ours.coordinator({"10.9.8.7"})), "mismatch"));
}

TEST_CASE_METHOD(tls_fixture, "a session ends with its certificate",
                 "[actors][tls][safety]") {
  const auto files = ours.expiring_client("ann", 3s);
  test::program tool;
  REQUIRE(tool.connect(where, files));
  CHECK(coordinator.link().counters().open == 1);
  CHECK(
    test::eventually([&] { return coordinator.link().counters().open == 0; }));
  const auto refused = tool.connect(where, files);
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error(), "expired"));
}
