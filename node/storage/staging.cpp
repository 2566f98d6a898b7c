// SPDX-License-Identifier: Apache-2.0
#include "node/storage/staging.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <optional>

#include "actors/fault.hpp"
#include "node/storage/file.hpp"
#include "node/storage/flat_sink.hpp"
#include "node/storage/reservation.hpp"

namespace forkfleet {

namespace {

/// The least that is told as missing: one block of any file system.
constexpr uint64_t block_bytes = 4096;

class disk_staging_area final : public staging_area {
public:
  memory_sink& memory() override { return *sink; }
  int vmstate_fd() const override { return vmstate.get(); }
  const reservation& reserved() const override { return numbers; }

  unique_fd memory_file;
  std::optional<flat_sink> sink;
  unique_fd vmstate;
  unique_fd manifest;
  reservation numbers;
};

/// One branch' staging in the making.
class staging_maker {
public:
  staging_maker(const staging_request& request, const staging_place& place)
    : request_(request), place_(place) {
    area_->numbers.file_system = place.file_system;
  }

  tl::expected<staging_ptr, staging_failure> run() {
    if (auto made = make_files(); !made)
      return give_up(made.error());
    if (request_.policy != reserve_policy::off)
      if (auto reserved = reserve_files(); !reserved)
        return give_up(reserved.error());
    if (auto sized = give_memory_its_size(); !sized)
      return give_up(sized.error());
    if (auto fault = fault_point("staging.reserved"); !fault)
      return give_up(fault.error());
    area_->sink.emplace(area_->memory_file.get(), path_of(memory_file));
    return std::move(area_);
  }

private:
  status make_files() {
    if (auto gone = remove_tree(place_.parent, place_.name); !gone)
      return gone;
    if (auto made = make_directory(place_.directory()); !made)
      return made;
    if (auto fault = fault_point("staging.made"); !fault)
      return fault;
    for (const auto& [name, fd] :
         {std::pair{memory_file, &area_->memory_file},
          std::pair{vmstate_file, &area_->vmstate},
          std::pair{manifest_file, &area_->manifest}}) {
      auto opened = open_file(path_of(name), O_RDWR | O_CREAT | O_EXCL);
      if (!opened)
        return tl::unexpected<failure>(opened.error());
      *fd = std::move(*opened);
    }
    return {};
  }

  status reserve_files() {
    using enum reserve_shape;
    auto done = reserve_one(area_->memory_file, request_.memory_bytes, exact);
    if (done)
      done = reserve_one(area_->vmstate, request_.vmstate_bytes, at_most);
    if (done)
      done = reserve_one(area_->manifest,
                         manifest_slack_bytes(request_.memory_bytes), at_most);
    return done;
  }

  /// Success also where the file system cannot and the policy allows that.
  status reserve_one(const unique_fd& fd, uint64_t bytes, reserve_shape shape) {
    auto& numbers = area_->numbers;
    if (numbers.outcome == reserve_outcome::unsupported)
      return {};
    const auto [outcome, error] = reserve(fd.get(), bytes, shape);
    numbers.outcome = outcome;
    if (outcome == reserve_outcome::reserved) {
      numbers.reserved_bytes += bytes;
      return {};
    }
    if (outcome == reserve_outcome::unsupported
        && request_.policy == reserve_policy::best_effort)
      return {};
    if (outcome == reserve_outcome::unsupported)
      return fail(ec::unsupported,
                  place_.file_system + " cannot reserve space in "
                    + place_.directory()
                    + "; use ext4, XFS or tmpfs, or reserve: best-effort");
    return tl::unexpected<failure>(
      errno_failure(error, "reserve " + std::to_string(bytes) + " bytes in "
                             + place_.directory()));
  }

  /// Only where nothing was reserved; it would throw reserved extents away
  /// if the sizes ever differed.
  status give_memory_its_size() {
    if (area_->numbers.reserved_bytes != 0)
      return {};
    return resize_file(area_->memory_file.get(), request_.memory_bytes,
                       path_of(memory_file));
  }

  /// Removes everything; ext4 keeps what a failed fallocate has got so far.
  tl::unexpected<staging_failure> give_up(const failure& error) {
    auto numbers = area_->numbers;
    const auto got = stored_bytes(path_of(memory_file))
                     + stored_bytes(path_of(vmstate_file))
                     + stored_bytes(path_of(manifest_file));
    area_.reset();
    static_cast<void>(remove_tree(place_.parent, place_.name));
    numbers.reserved_bytes = 0;
    const auto needed = needed_bytes(request_);
    if (numbers.outcome == reserve_outcome::no_space)
      return tl::unexpected{
        no_room(place_, needed, available_bytes(place_.parent).value_or(got))};
    if (numbers.outcome == reserve_outcome::quota)
      numbers.missing_bytes = needed - std::min(got, needed - block_bytes);
    return tl::unexpected{staging_failure{error, numbers}};
  }

  std::string path_of(const char* name) const {
    return place_.directory() + "/" + name;
  }

  const staging_request& request_;
  const staging_place& place_;
  std::unique_ptr<disk_staging_area> area_ =
    std::make_unique<disk_staging_area>();
};

} // namespace

uint64_t needed_bytes(const staging_request& request) {
  return request.memory_bytes + request.vmstate_bytes
         + manifest_slack_bytes(request.memory_bytes);
}

staging_failure no_room(const staging_place& place, uint64_t needed,
                        uint64_t free) {
  // What is free can be enough by its number and still not do: the file
  // system needs some for itself.
  const auto missing = needed > free ? needed - free : block_bytes;
  const auto text = "a snapshot needs " + std::to_string(needed) + " bytes in "
                    + place.parent + " (" + place.file_system
                    + "): " + std::to_string(free) + " are free, "
                    + std::to_string(missing) + " are missing";
  return {{ec::disk_full, text},
          {.outcome = reserve_outcome::no_space,
           .missing_bytes = missing,
           .file_system = place.file_system}};
}

tl::expected<staging_ptr, staging_failure>
make_staging(const staging_request& request, const staging_place& place) {
  return staging_maker{request, place}.run();
}

} // namespace forkfleet
