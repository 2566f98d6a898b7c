// SPDX-License-Identifier: Apache-2.0
#include "node/agent/identity.hpp"

#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;

namespace {

// Whether the shell of this machine can read the script.
bool is_shell(const std::string& script) {
  const auto close = [](std::FILE* x) { return ::pclose(x); };
  auto* shell = ::popen("sh -n", "w");
  REQUIRE(shell);
  std::fwrite(script.data(), 1, script.size(), shell);
  return close(shell) == 0;
}

std::string text_of(const std::string& word) {
  auto text = std::string{};
  auto* shell = ::popen(("printf '%s' " + word).c_str(), "r");
  REQUIRE(shell);
  for (int c = 0; (c = std::fgetc(shell)) != EOF;)
    text += static_cast<char>(c);
  ::pclose(shell);
  return text;
}

/// Prepares a mount and a host name namespace in which nothing of `/` can be
/// written and `date` sets nothing; then runs a script.
constexpr const char* read_only_root = R"sh(
mount -t tmpfs tmpfs /run &&
mount --bind /usr/bin/true /usr/bin/date &&
[ -z "$(date)" ] && [ -e /etc/machine-id ] &&
mount -o remount,bind,ro / && ! true 2>/dev/null >>/etc/machine-id || exit 77
sh "$0" && printf 'shown=%s,%s\n' "$(hostname)" "$(cat /etc/machine-id)"
)sh";

/// What the script prints there; nothing where that cannot be had.
std::optional<std::string> run_on_read_only_root(const std::string& script) {
  const test::scratch_directory home{};
  const auto file = home.path() + "/script";
  const auto room = home.path() + "/room";
  std::ofstream{file} << script;
  std::ofstream{room} << read_only_root;
  auto* shell = ::popen(("unshare -m -u --propagation private sh -c \"$(cat "
                         + room + ")\" " + file + " 2>&1")
                          .c_str(),
                        "r");
  REQUIRE(shell);
  auto text = std::string{};
  for (int c = 0; (c = std::fgetc(shell)) != EOF;)
    text += static_cast<char>(c);
  const int ended = ::pclose(shell);
  INFO(text);
  if (WIFEXITED(ended) && (WEXITSTATUS(ended) == 77 || WEXITSTATUS(ended) == 1)
      && text.find("error=") == std::string::npos)
    return std::nullopt;
  CHECK(ended == 0);
  return text;
}

constexpr const char* whole_answer = "entropy=perl\nhostname=kid\n"
                                     "machine_id=0123\nsample=ab\n"
                                     "done=yes\n";

} // namespace

TEST_CASE("base64 is what RFC 4648 says", "[node][identity]") {
  const auto [bytes, text] =
    GENERATE(table<std::string, std::string>({{"", ""},
                                              {"f", "Zg=="},
                                              {"fo", "Zm8="},
                                              {"foo", "Zm9v"},
                                              {"foob", "Zm9vYg=="},
                                              {"fooba", "Zm9vYmE="},
                                              {"foobar", "Zm9vYmFy"}}));
  CHECK(to_base64(bytes) == text);
  CHECK(from_base64(text) == bytes);
}

TEST_CASE("what is not base64 is no bytes", "[node][identity]") {
  const std::string text =
    GENERATE("Zg", "Zg=", "Z===", "====", "Zm 9", "Zm9v\n", "Zg==Zg==", "Zm9*");
  CHECK_FALSE(from_base64(text));
}

TEST_CASE("every byte survives base64", "[node][identity]") {
  auto bytes = std::string{};
  for (int i = 0; i < 256; ++i) {
    bytes += static_cast<char>(i);
    CHECK(from_base64(to_base64(bytes)) == bytes);
  }
}

TEST_CASE("whatever a child is given, the script is a script",
          "[node][identity][safety]") {
  const std::string value =
    GENERATE("plain", "it's", "'; reboot; '", "$(reboot) `reboot` \\ \"",
             "two\nlines", "%s %d \\045");
  auto plan =
    plan_identity("kid", {.environment = {"A=" + value}, .seed = value});
  plan.clock = microseconds{1'700'000'000'123'456};
  const auto script = identity_script(plan);
  CHECK(is_shell(script));
  CHECK(script.find("@1700000000.123456") != std::string::npos);
  // The seed stands in it as one word of the shell.
  const auto at = script.rfind(">/run/forkfleet/seed");
  REQUIRE(at != std::string::npos);
  const auto begin = script.rfind("printf '%s' ", at) + 12;
  CHECK(text_of(script.substr(begin, at - begin)) == value);
}

TEST_CASE("a guest whose root is read only takes its identity",
          "[node][identity]") {
  const auto plan = plan_identity("kid", {.environment = {"A=b"}});
  const auto printed = run_on_read_only_root(identity_script(plan));
  if (!printed)
    return test::skip("no mount namespace with a root that is read only");
  const auto receipt = read_receipt(*printed);
  INFO(*printed);
  REQUIRE(receipt);
  CHECK(receipt->hostname == "kid");
  CHECK(receipt->machine_id == plan.machine_id);
  CHECK_THAT(*printed, Catch::Contains("shown=kid," + plan.machine_id));
}

TEST_CASE("a sandbox' name becomes a host name", "[node][identity]") {
  const auto [name, hostname] = GENERATE(table<std::string, std::string>(
    {{"kid", "kid"}, {"kid_7", "kid-7"}, {"_kid_", "kid"}, {"___", "child"}}));
  const auto plan = plan_identity(name, {});
  CHECK(plan.hostname == hostname);
  CHECK(plan_identity(name, {}).machine_id != plan.machine_id);
  CHECK(plan.machine_id.size() == 32);
  CHECK(plan.entropy.size() == 128);
  CHECK(plan_identity(name, {.hostname = "own"}).hostname == "own");
}

TEST_CASE("only a whole answer is a receipt", "[node][identity][safety]") {
  const auto whole = read_receipt(whole_answer);
  REQUIRE(whole);
  CHECK(whole->hostname == "kid");
  CHECK(whole->entropy == "perl");
  const auto text = std::string{whole_answer};
  for (std::size_t cut = 0; cut + 1 < text.size(); ++cut)
    CHECK_FALSE(read_receipt(text.substr(0, cut)));
  const auto refused = read_receipt("error=clock: date cannot set it\n");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::vmm_refused);
  CHECK(refused.error().message.find("date cannot") != std::string::npos);
}

TEST_CASE("a receipt of any size is a short one, and harmless",
          "[node][identity][safety]") {
  const auto longest = std::string(300'000, 'x');
  const auto receipt =
    read_receipt("hostname=" + longest + "\nmachine_id=" + longest
                 + "\nentropy=\x1b]0;owned\x07" + longest
                 + "\nsample=" + longest + "\ndone=yes\n");
  REQUIRE(receipt);
  for (const auto& text : {receipt->hostname, receipt->machine_id,
                           receipt->entropy, receipt->sample}) {
    CHECK(text.size() <= 128);
    CHECK(text.find('\x1b') == std::string::npos);
  }
  const auto refused = read_receipt("error=\x1b[2J" + longest);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.size() < 1000);
  CHECK(refused.error().message.find('\x1b') == std::string::npos);
}

TEST_CASE("a wrong input is refused by name", "[node][identity]") {
  const auto [input, named] = GENERATE(table<child_input, std::string>({
    {{.hostname = "a.b"}, "a.b"},
    {{.hostname = "-a"}, "-a"},
    {{.environment = {"novalue"}}, "novalue"},
    {{.environment = {"7=x"}}, "7=x"},
    {{.environment = {"a b=x"}}, "a b=x"},
    {{.files = {{"relative", ""}}}, "relative"},
    {{.files = {{"/a", "*"}}}, "/a"},
    {{.seed = std::string(child_bytes_max + 1, 'x')}, "at most"},
  }));
  const auto checked = check(input);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == ec::invalid_request);
  CHECK(checked.error().message.find(named) != std::string::npos);
}
