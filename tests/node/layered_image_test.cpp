// SPDX-License-Identifier: Apache-2.0
#include "node/storage/layered_image.hpp"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "node/storage/diff_sink.hpp"
#include "node/storage/file.hpp"
#include "node/storage/overlay.hpp"
#include "tests/support/diff_maker.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t page = guest_page_bytes;

/// A chain on the disk, and the memory that it stands for.
class chain_maker {
public:
  explicit chain_maker(unsigned seed) : dice_{seed} {
    model_ = random_pages(dice_, 1 + dice_() % 600);
    chain_.memory_bytes = model_.size();
    chain_.flat_path = home_.path() + "/memory.bin";
    write_file(chain_.flat_path, model_);
  }

  void add_diff() {
    const auto path =
      home_.path() + "/" + std::to_string(chain_.diff_paths.size());
    const auto fd = open_file(path, O_RDWR | O_CREAT);
    REQUIRE(fd);
    diff_sink sink{fd->get(), path, {model_.size(), {}}};
    REQUIRE(change(dice_, sink, model_, dice_() % 20));
    REQUIRE(sink.finish());
    chain_.diff_paths.push_back(path);
  }

  void check() {
    const auto image = layered_image::open(chain_);
    REQUIRE(image);
    CHECK((*image)->bytes() == model_.size());
    CHECK(read_all(**image, dice_) == model_);
    check_layout(**image);
  }

  image_chain& chain() { return chain_; }
  std::mt19937& dice() { return dice_; }

private:
  /// As a child maps it: by the layout alone.
  void check_layout(const layered_image& image) const {
    const auto& layout = image.layout();
    bytes seen(model_.size(), 0);
    uint64_t at = 0;
    for (const auto& segment : layout.segments) {
      REQUIRE(segment.address == at);
      REQUIRE(segment.offset % page == 0);
      at += segment.bytes;
      const auto part = std::span{seen}.subspan(segment.address, segment.bytes);
      if (segment.file) {
        const auto& path = layout.files[*segment.file];
        const auto fd = open_file(path, O_RDONLY);
        REQUIRE(fd);
        REQUIRE(read_at(fd->get(), part, segment.offset, path));
      }
    }
    CHECK(at == model_.size());
    CHECK(seen == model_);
  }

  scratch_directory home_;
  std::mt19937 dice_;
  bytes model_;
  image_chain chain_;
};

} // namespace

TEST_CASE("a chain reads as the memory that it stands for, at any depth",
          "[storage][layered_image][property]") {
  for (unsigned seed = 1; seed <= 25; ++seed) {
    CAPTURE(seed);
    chain_maker maker{seed};
    const auto depth = seed % 5 == 0 ? 100 : maker.dice()() % 10;
    for (std::size_t i = 0; i < depth; ++i)
      maker.add_diff();
    maker.check();
  }
}

TEST_CASE("a chain without diffs is flat", "[storage][layered_image]") {
  chain_maker maker{3};
  const auto image = layered_image::open(maker.chain());
  REQUIRE(image);
  CHECK((*image)->layout().is_flat());
}

TEST_CASE("an image reads on after its files were removed",
          "[storage][layered_image]") {
  chain_maker maker{4};
  maker.add_diff();
  const auto image = layered_image::open(maker.chain());
  REQUIRE(image);
  const auto before = read_all(**image, maker.dice());
  REQUIRE(remove_file(maker.chain().flat_path));
  REQUIRE(remove_file(maker.chain().diff_paths.front()));
  CHECK(read_all(**image, maker.dice()) == before);
}

TEST_CASE("nothing is read outside of the memory",
          "[storage][layered_image][safety]") {
  chain_maker maker{5};
  const auto image = layered_image::open(maker.chain());
  REQUIRE(image);
  bytes into(page);
  const auto size = (*image)->bytes();
  for (const auto at : {size, size - page + 1, size + 1, ~uint64_t{0}})
    CHECK((*image)->read(at, into).error().code == ec::invalid_request);
  CHECK((*image)->read(size, {}));
}

TEST_CASE("a chain with a file of another guest does not open",
          "[storage][layered_image][safety]") {
  chain_maker maker{6};
  maker.add_diff();
  maker.chain().memory_bytes += page;
  CHECK(layered_image::open(maker.chain()).error().code
        == ec::snapshot_corrupt);
  write_file(maker.chain().flat_path, bytes(maker.chain().memory_bytes));
  CHECK(layered_image::open(maker.chain()).error().code
        == ec::snapshot_corrupt);
}

TEST_CASE("a chain that is too deep names the remedy",
          "[storage][layered_image]") {
  chain_maker maker{7};
  maker.add_diff();
  maker.chain().diff_paths.resize(layered_image::depth_max + 1,
                                  maker.chain().diff_paths.front());
  const auto image = layered_image::open(maker.chain());
  REQUIRE_FALSE(image);
  CHECK(image.error().code == ec::unsupported);
  CHECK_THAT(image.error().message, Catch::Contains("flatten it"));
}

TEST_CASE("runs hide what is below them, and only that", "[storage][overlay]") {
  const auto below = flat_segments(10 * page);
  const std::vector<diff_run> runs{{2 * page, page, 4 * page},
                                   {5 * page, 2 * page, 0}};
  const auto above = overlay(below, runs, 1);
  const std::vector<memory_segment> wanted{{0, 2 * page, 0, 0},
                                           {2 * page, page, 1, 4 * page},
                                           {3 * page, 2 * page, 0, 3 * page},
                                           {5 * page, 2 * page, {}, 0},
                                           {7 * page, 3 * page, 0, 7 * page}};
  CHECK(above == wanted);
  const std::vector<diff_run> all{{0, 10 * page, 0}};
  CHECK(overlay(above, all, 2)
        == std::vector<memory_segment>{{0, 10 * page, {}, 0}});
}
