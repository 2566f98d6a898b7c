// SPDX-License-Identifier: Apache-2.0
#include "node/storage/label_record.hpp"

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

struct annotation_fixture {
  scratch_directory home;
  store_world world{home.path() + "/node"};

  snapshot_info listed(const std::string& tag) {
    for (const auto& x : world->list())
      if (x.tag.value == tag)
        return x;
    return {};
  }
  std::string path() const {
    return world.path() + "/snapshots/a/" + label_file;
  }
};

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("a record is read as it was written, or not at all",
          "[storage][label_record][safety]") {
  const auto words = annotation{{"a=1", "b=2"}, "a note"};
  const auto text = annotation_text("root", words);
  REQUIRE(text);
  CHECK(annotation_from_text(*text, "p", "root") == words);
  CHECK_FALSE(annotation_from_text(*text, "p", "another"));
  for (std::size_t i = 0; i < text->size(); ++i) {
    auto torn = *text;
    torn[i] = static_cast<char>(torn[i] ^ 1);
    CHECK_FALSE(annotation_from_text(torn, "p", "root"));
  }
  CHECK_FALSE(annotation_from_text(text->substr(0, 20), "p", "root"));
}

TEST_CASE_METHOD(annotation_fixture, "words lie beside the manifest",
                 "[storage][store][label_record]") {
  REQUIRE(world.branch("op-a", "a"));
  const auto before = listed("a");
  CHECK_FALSE(path_exists(path()));
  const auto info =
    world->annotate({"a"}, {.labels = {"k=v"}, .has_note = true, .note = "n"});
  REQUIRE(info);
  CHECK(info->labels == texts{"k=v"});
  world.restart();
  CHECK(listed("a").labels == texts{"k=v"});
  CHECK(listed("a").note == "n");
  CHECK(listed("a").root_hash == before.root_hash);
  CHECK(world->verify({"a"}, {}));
  CHECK(world->annotate({"none"}, {}).error().code == ec::unknown_snapshot);
  REQUIRE(world->remove({"a"}));
  CHECK_FALSE(path_exists(path()));
}

TEST_CASE_METHOD(annotation_fixture, "damaged words hide no snapshot",
                 "[storage][store][label_record][safety]") {
  REQUIRE(world.branch("op-a", "a"));
  REQUIRE(world->annotate({"a"}, {.labels = {"k=v"}}));
  REQUIRE(write_durably(path(), "{}"));
  world.restart();
  CHECK(listed("a").tag.value == "a");
  CHECK(listed("a").labels.empty());
  REQUIRE(world->problems().size() == 1);
  CHECK(world->problems()[0].find(path()) == 0);
  REQUIRE(world->annotate({"a"}, {.labels = {"k=w"}}));
  world.restart();
  CHECK(listed("a").labels == texts{"k=w"});
}

TEST_CASE_METHOD(annotation_fixture, "what a snapshot takes alone is told",
                 "[storage][store]") {
  REQUIRE(world.branch("op-a", "a"));
  const auto usage = world->usage({"a"});
  REQUIRE(usage);
  CHECK(usage->unique_bytes <= usage->info.stored_bytes);
  CHECK(usage->unique_bytes > 0);
  CHECK_FALSE(usage->is_read);
  const auto held = world->open({"a"});
  CHECK(world->usage({"a"})->is_read);
}
