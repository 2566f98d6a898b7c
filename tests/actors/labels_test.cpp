// SPDX-License-Identifier: Apache-2.0
#include "actors/labels.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

using texts = std::vector<std::string>;

texts after(const texts& labels, const label_change& change) {
  const auto words = changed({labels, "kept"}, change);
  REQUIRE(words);
  CHECK(words->note == "kept");
  return words->labels;
}

} // namespace

TEST_CASE("labels are in order of their keys, each key once",
          "[actors][labels]") {
  CHECK(after({}, {.labels = {"b=2", "a=1", "b=3"}}) == texts{"a=1", "b=3"});
  CHECK(after({"a=1"}, {.labels = {"a="}}) == texts{"a="});
  CHECK(after({"a=1", "b=2"}, {.dropped = {"a", "none"}}) == texts{"b=2"});
}

TEST_CASE("a label that is none is refused, and it is said why",
          "[actors][labels][safety]") {
  for (const auto* wrong :
       {"", "a", "=1", "-a=1", "a b=1", "a=b c", "a=x;y", "a=b=c", "\n=1"}) {
    CAPTURE(wrong);
    const auto good = check_label(wrong);
    REQUIRE_FALSE(good);
    CHECK(good.error().code == ec::invalid_request);
  }
  CHECK_FALSE(check_label(std::string(33, 'k') + "=1"));
  CHECK_FALSE(check_label("k=" + std::string(65, 'v')));
  CHECK(check_label(std::string(32, 'k') + "=" + std::string(64, 'v')));
  CHECK(check_label("app.example/run=2026-01_x"));
}

TEST_CASE("there are at most eight labels", "[actors][labels]") {
  auto change = label_change{};
  for (int i = 0; i < 8; ++i)
    change.labels.push_back("k" + std::to_string(i) + "=1");
  auto words = changed({}, change);
  REQUIRE(words);
  CHECK_FALSE(changed(*words, {.labels = {"more=1"}}));
  CHECK(changed(*words, {.labels = {"more=1"}, .dropped = {"k0"}}));
  change.labels.emplace_back("k9=1");
  CHECK_FALSE(check_change(change));
}

TEST_CASE("a note is one line of bounded length", "[actors][labels]") {
  CHECK(check_note("before the upgrade, \xc3\xa4"));
  CHECK(check_note(std::string(256, 'x')));
  CHECK_FALSE(check_note(std::string(257, 'x')));
  CHECK_FALSE(check_note("two\nlines"));
  const auto gone = changed({{}, "old"}, {.has_note = true});
  REQUIRE(gone);
  CHECK(gone->empty());
}

TEST_CASE("a label is found by its key or with its value", "[actors][labels]") {
  const texts labels{"a=1", "b=2"};
  CHECK(has_labels(labels, {}));
  CHECK(has_labels(labels, {"a", "b=2"}));
  CHECK_FALSE(has_labels(labels, {"a", "b=3"}));
  CHECK_FALSE(has_labels(labels, {"a="}));
  CHECK(join_labels(labels) == "a=1,b=2");
}
