// SPDX-License-Identifier: Apache-2.0
// What an archive is believed, and of whom.
#include <fcntl.h>
#include <filesystem>

#include <catch2/catch.hpp>

#include "node/storage/archive_writer.hpp"
#include "node/storage/file.hpp"
#include "node/storage/snapshot_signature.hpp"
#include "tests/support/doctored_archive.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

/// A host with a chain of two, exported, and another host of its fleet.
struct trust_fixture {
  scratch_directory home;
  store_world world{home.path() + "/one"};
  store_world other{home.path() + "/two"};
  std::string path = home.path() + "/top.ffsnap";
  std::string bad = home.path() + "/bad.ffsnap";

  trust_fixture() {
    REQUIRE(world.branch("op-base", "base", 3));
    REQUIRE(world.branch_over(
      world.request_over("op-top", "top", "base"), [](memory_sink& sink) {
        REQUIRE(sink.write(0, std::vector<uint8_t>(page, 9)));
      }));
    REQUIRE(world->export_to({"top"}, path, {}));
  }

  failure refusal(const std::string& archive,
                  const archive_belief& belief = {}) {
    const auto found = other->import_from(archive, {"x"}, {}, belief);
    REQUIRE_FALSE(found);
    CHECK(other.tags().empty());
    CHECK(other.staged().empty());
    return found.error();
  }
};

constexpr archive_belief anything{.accept_unsigned = true};

} // namespace

TEST_CASE_METHOD(trust_fixture,
                 "an archive holds a flat snapshot that is signed",
                 "[storage][archive][trust]") {
  const auto parts = unpack_archive(path);
  CHECK(parts.manifest.form == sealed_form::flat);
  CHECK(parts.manifest.base.empty());
  CHECK(signature_text(parts.manifest, parts.manifest.signed_by)
        == "the fleet");
  const auto told = other->look_into(path);
  REQUIRE(told);
  CHECK(told->signature == "the fleet");
  CHECK(told->contract.front() == "driver=simulated");
  const auto in = other->import_from(path, {}, {});
  REQUIRE(in);
  CHECK(in->info.origin == snapshot_origin::imported);
  CHECK(in->info.root_hash == parts.manifest.root_hash);
  CHECK(other->open({"top"})->is_vouched);
  CHECK(other->usage({"top"})->signature == "the fleet");
}

TEST_CASE_METHOD(trust_fixture, "an archive that was changed is refused",
                 "[storage][archive][trust][safety]") {
  SECTION("its memory") {
    doctor_archive(path, bad, [](archive_parts& x) { x.flip(memory_file, 5); });
  }
  SECTION("its device state") {
    doctor_archive(path, bad,
                   [](archive_parts& x) { x.flip(vmstate_file, 1); });
  }
  SECTION("its contract") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.contract.arguments.emplace_back("argument=-daemonize");
    });
  }
  SECTION("its signature") {
    doctor_archive(path, bad, [](archive_parts& x) {
      auto& digit = x.manifest.signature[0];
      digit = digit == '0' ? '1' : '0';
    });
  }
  SECTION("without a signature") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.signature.clear();
      x.manifest.signed_by.clear();
    });
  }
  SECTION("as of an older version") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.format_version = 2;
      x.manifest.signature.clear();
      x.manifest.signed_by.clear();
    });
  }
  const auto refused = refusal(bad);
  CHECK(refused.code == ec::not_permitted);
  CHECK_THAT(refused.message, Catch::Contains("would run: driver=simulated"));
}

TEST_CASE_METHOD(trust_fixture, "a stranger's key is believed when it is named",
                 "[storage][archive][trust][safety]") {
  const auto stranger = *signing_key::make();
  doctor_archive(
    path, bad, [&](archive_parts& x) { REQUIRE(sign(x.manifest, *stranger)); });
  CHECK(refusal(bad).code == ec::not_permitted);
  CHECK(refusal(bad, {.key = std::string(64, '0')}).code == ec::not_permitted);
  const auto in =
    other->import_from(bad, {"x"}, {}, {.key = stranger->public_key()});
  REQUIRE(in);
  // Its word is no more than a stranger's.
  CHECK_FALSE(other->open({"x"})->is_vouched);
  CHECK_THAT(other->usage({"x"})->signature,
             Catch::StartsWith("a stranger's key " + stranger->public_key()));
}

TEST_CASE_METHOD(trust_fixture, "what nobody vouches for stays a stranger's",
                 "[storage][archive][trust][safety]") {
  doctor_archive(path, bad, [](archive_parts& x) {
    x.manifest.signature.clear();
    x.manifest.signed_by.clear();
  });
  REQUIRE(other->import_from(bad, {"x"}, {}, anything));
  CHECK_FALSE(other->open({"x"})->is_vouched);
  CHECK(other->usage({"x"})->signature == "nobody");
  other.restart();
  CHECK_FALSE(other->open({"x"})->is_vouched);
  // To pack it again makes it no better.
  const auto again = home.path() + "/again.ffsnap";
  REQUIRE(other->export_to({"x"}, again, {}));
  CHECK(world->import_from(again, {"y"}, {}).error().code == ec::not_permitted);
}

TEST_CASE_METHOD(trust_fixture, "an imported snapshot is no base of a VM here",
                 "[storage][archive][trust][safety]") {
  const auto root = [this] {
    for (const auto& x : world->list())
      if (x.tag.value == "top")
        return x.root_hash;
    return std::string{};
  }();
  // With one page of other memory, and every hash made to fit.
  doctor_archive(path, bad,
                 [](archive_parts& x) { x.flip(memory_file, page); });
  const auto in = world->import_from(bad, {"a-forged"}, {}, anything);
  REQUIRE(in);
  CHECK(in->info.root_hash != root);
  CHECK(world->find_base(root, {}).tag == snapshot_tag{"top"});
  CHECK(world->find_base(in->info.root_hash, {}).tag.empty());
  // Nor is an honest one, but of its own children.
  const auto copy = world->import_from(path, {"a-copy"}, {});
  REQUIRE(copy);
  CHECK(world->find_base(copy->info.root_hash, {}).tag.empty());
  CHECK(world->find_base(copy->info.root_hash, {"a-copy"}).tag
        == snapshot_tag{"a-copy"});
}

TEST_CASE_METHOD(trust_fixture,
                 "a forged copy under the root of a diff is none",
                 "[storage][archive][trust][safety]") {
  // As older versions packed a diff: its own root hash, and a record of the
  // image that anybody can write.
  auto parts = unpack_archive(path);
  const auto text =
    read_small_file(world.path() + "/snapshots/top/" + manifest_file);
  const auto sealed = manifest_from_text(*text, "m");
  REQUIRE(sealed);
  parts.manifest = *sealed;
  CHECK(sealed->form == sealed_form::diff);
  const auto archive = archive_writer::make(bad);
  REQUIRE(archive);
  REQUIRE((*archive)->put(manifest_file, 0, *text));
  REQUIRE((*archive)->end());
  CHECK(refusal(bad, anything).code == ec::snapshot_corrupt);
}

TEST_CASE_METHOD(trust_fixture, "what a field cannot be is refused",
                 "[storage][archive][trust][safety]") {
  const std::string line(5000, 'x');
  SECTION("a method without end") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.method = std::string(300'000, 'm');
    });
  }
  SECTION("an argument without end") {
    doctor_archive(path, bad, [&](archive_parts& x) {
      x.manifest.contract.arguments.push_back("append=" + line);
    });
  }
  SECTION("arguments without end") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.contract.arguments.assign(1000, "egress=10.0.0.1");
    });
  }
  SECTION("lines in a text") {
    doctor_archive(path, bad,
                   [](archive_parts& x) { x.manifest.contract.cpu = "a\nb"; });
  }
  SECTION("a host's name") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.host = {std::string(200, 'h')};
    });
  }
  SECTION("device state of 64 GiB") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.vmstate_bytes = uint64_t{64} << 30;
    });
  }
  SECTION("memory of another size than its contract's") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.contract.memory_bytes = 1 << 30;
    });
  }
  SECTION("a layer of 1 TiB of a small disk") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.disks = {
        {"disk0", mib, {{uint64_t{1} << 40, x.manifest.vmstate_hash}}}};
    });
  }
  SECTION("a kernel without a path") {
    doctor_archive(path, bad, [](archive_parts& x) {
      x.manifest.contract.files = {{.use = "kernel", .path = "k"}};
    });
  }
  CHECK(refusal(bad, anything).code == ec::snapshot_corrupt);
}

TEST_CASE_METHOD(trust_fixture,
                 "a snapshot that could not be read is not sealed",
                 "[storage][trust][safety]") {
  const auto area = world.stage("op-x", "x");
  REQUIRE(area);
  world.fill(**area, 1);
  const auto sealed = world->seal({.operation = {"op-x"},
                                   .tag = {"x"},
                                   .source = {"s"},
                                   .method = std::string(100, 'm'),
                                   .memory_bytes = 5 * mib,
                                   .vmstate_bytes = vmstate_text(1).size(),
                                   .contract = {.driver = "simulated"}},
                                  **area);
  REQUIRE_FALSE(sealed);
  CHECK(sealed.error().code == ec::unsupported);
}

TEST_CASE_METHOD(trust_fixture, "without a key nothing is believed by itself",
                 "[storage][archive][trust][safety]") {
  other.restart_with({});
  CHECK(refusal(path).code == ec::not_permitted);
  REQUIRE(other->import_from(path, {"x"}, {}, anything));
  other.restart_with(*signing_key::make());
  CHECK_FALSE(other->open({"x"})->is_vouched);
}

TEST_CASE_METHOD(trust_fixture, "a store keeps the order of its snapshots",
                 "[storage][trust][safety]") {
  const auto place_of = [this](const std::string& tag) {
    for (const auto& x : world->list())
      if (x.tag.value == tag)
        return x.sequence;
    return uint64_t{0};
  };
  CHECK(place_of("base") < place_of("top"));
  world.restart();
  REQUIRE(world->import_from(path, {"in"}, {}));
  REQUIRE(world.branch("op-late", "late"));
  CHECK(place_of("base") > 0);
  CHECK(place_of("base") < place_of("top"));
  CHECK(place_of("top") < place_of("in"));
  CHECK(place_of("in") < place_of("late"));
}

TEST_CASE_METHOD(trust_fixture, "labels given meanwhile save a snapshot",
                 "[storage][label_record][trust][safety]") {
  const auto revision_of = [this](const std::string& tag) {
    for (const auto& x : world->list())
      if (x.tag.value == tag)
        return x.revision;
    return uint64_t{0};
  };
  const auto judged = revision_of("top");
  REQUIRE(world->annotate({"top"}, {.labels = {"pinned=yes"}}));
  const auto removed = world->remove({"top"}, judged);
  REQUIRE_FALSE(removed);
  CHECK(removed.error().code == ec::node_busy);
  CHECK(world->verify({"top"}, {}));
  CHECK(revision_of("top") > judged);
  // Nor is another of the same name removed in its place.
  const auto before = revision_of("top");
  REQUIRE(world->remove({"top"}));
  REQUIRE(world.branch("op-new", "top"));
  CHECK_FALSE(world->remove({"top"}, before));
  CHECK(world->remove({"top"}, revision_of("top")));
}
