# The makespan against the number of boards, as SVG: the station's line and dfu-util's, and where not all boards were
# flashed right, how many.
def points($who): [.figures[] | select(.name | test("^many\\.[0-9]+\\.makespan\\.\($who)$"))
        | {n: (.name | capture("many\\.(?<n>[0-9]+)").n | tonumber), s: (.median / 1e6)}] | sort_by(.n);
def right($who): [.figures[] | select(.name | test("^many\\.[0-9]+\\.flashed\\.\($who)$"))
        | {key: (.name | capture("many\\.(?<n>[0-9]+)").n), value: .median}] | from_entries;
points("station") as $ours | points("dfu-util") as $theirs
| right("station") as $our_right | right("dfu-util") as $their_right
| ([$ours[].s, $theirs[].s, 1] | max) as $longest
| (first((1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) | select($longest / . <= 6)) // 5000) as $step
| (($longest / $step | floor + 1) * $step) as $top
| ([$ours[].n, $theirs[].n, 1] | max) as $right
| def x: 60 + . / $right * 500 | round;
  def y: 320 - . / $top * 290 | round;
  def line($points; $flashed; $colour; $name):
        "<polyline fill=\"none\" stroke=\"\($colour)\" stroke-width=\"2\" points=\"\([$points[] | "\(.n | x),\(.s | y)"] | join(" "))\"/>",
        ($points[] | "<circle cx=\"\(.n | x)\" cy=\"\(.s | y)\" r=\"3\" fill=\"\($colour)\"><title>\(.n) boards: \(.s) s</title></circle>"),
        ($points[] | ($flashed["\(.n)"] // .n) as $good | select($good < .n)
                | "<text x=\"\(.n | x)\" y=\"\(.s | y - 8)\" text-anchor=\"end\" fill=\"\($colour)\">\($good) of \(.n) right</text>"),
        (if $points != [] then "<text x=\"\($points[-1].n | x + 6)\" y=\"\($points[-1].s | y + 4)\" fill=\"\($colour)\">\($name)</text>" else empty end);
  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 660 360\" font-family=\"sans-serif\" font-size=\"12\">",
  "<rect width=\"660\" height=\"360\" fill=\"white\"/>",
  "<path d=\"M60 20V320H570\" fill=\"none\" stroke=\"black\"/>",
  (range(0; $top + 1; $step) | "<text x=\"54\" y=\"\(y + 4)\" text-anchor=\"end\">\(.)</text><path d=\"M56 \(y)H60\" stroke=\"black\"/>"),
  ($ours[] | "<text x=\"\(.n | x)\" y=\"336\" text-anchor=\"middle\">\(.n)</text>"),
  "<text x=\"310\" y=\"354\" text-anchor=\"middle\">boards at once</text>",
  "<text x=\"60\" y=\"14\">seconds from the first plug to the last verdict</text>",
  line($ours; $our_right; "#06c"; "espdfu"), line($theirs; $their_right; "#c30"; "dfu-util"),
  "</svg>"
