// SPDX-License-Identifier: Apache-2.0
#include "node/storage/sandbox_records.hpp"

#include "actors/schema/json.hpp"
#include "node/storage/file.hpp"
#include "node/storage/sandbox_record_file.hpp"

namespace forkfleet {

namespace {

std::string file_in(const std::string& directory) {
  return directory + "/" + sandbox_record_file;
}

} // namespace

std::string sandbox_records::directory(const sandbox_id& place) const {
  return data_->sandboxes() + "/" + place.value;
}

status sandbox_records::save(const sandbox_record& record) {
  const auto& place = place_of(record);
  if (!is_valid(record.id) || !is_valid(place))
    return fail(ec::invalid_request,
                "'" + record.id.value + "' is no sandbox' name");
  const auto path = directory(place);
  const bool is_new = !path_exists(path);
  if (is_new) {
    const auto names = list_directory(data_->sandboxes());
    if (!names)
      return tl::unexpected<failure>(names.error());
    if (names->size() >= records_max)
      return fail(ec::node_busy, data_->sandboxes() + " holds "
                                   + std::to_string(records_max)
                                   + " sandboxes, the most; stop some");
  }
  if (auto made = make_directory(path); !made)
    return made;
  const auto text = schema::dump(schema::to_json(record), 1) + "\n";
  if (auto written = write_durably(file_in(path), text); !written)
    return written;
  // Also of a directory that an earlier attempt made and did not sync.
  return sync_directory(data_->sandboxes());
}

expected<std::vector<sandbox_record>>
sandbox_records::load_all(std::vector<std::string>& problems,
                          std::vector<unread_record>* unread) {
  std::vector<sandbox_record> result;
  const auto names = list_directory(data_->sandboxes());
  if (!names)
    return tl::unexpected<failure>(names.error());
  for (const auto& name : *names) {
    const sandbox_id id{name};
    const auto path = directory(id);
    auto record = look_for(file_in(path)) == presence::absent
                    ? tl::unexpected<failure>(failure{})
                    : load_sandbox_record(path, id);
    if (record) {
      result.push_back(std::move(*record));
    } else if (!record.error()) {
      const auto gone = remove_tree(data_->sandboxes(), name);
      problems.push_back(gone ? path + " had no record: removed"
                              : gone.error().message);
    } else {
      problems.push_back(record.error().message);
      if (unread)
        unread->push_back({id, record.error().message});
    }
  }
  return result;
}

expected<sandbox_record> sandbox_records::load(const sandbox_id& place) const {
  return load_sandbox_record(directory(place), place);
}

status sandbox_records::remove(const sandbox_id& place) {
  if (!is_valid(place))
    return fail(ec::invalid_request,
                "'" + place.value + "' is no sandbox' name");
  const auto path = directory(place);
  if (look_for(path) == presence::absent)
    return {};
  auto done = remove_file(file_in(path));
  if (done)
    done = sync_directory(path);
  if (done)
    done = remove_tree(data_->sandboxes(), place.value);
  return done;
}

} // namespace forkfleet
