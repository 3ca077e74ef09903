# The makespan against the number of boards, as SVG: the station's line and dfu-util's.
def points($who): [.figures[] | select(.name | test("^many\\.[0-9]+\\.makespan\\.\($who)$"))
        | {n: (.name | capture("many\\.(?<n>[0-9]+)").n | tonumber), s: (.median / 1e6)}] | sort_by(.n);
points("station") as $ours | points("dfu-util") as $theirs
| ([$ours[].s, $theirs[].s, 1] | max * 1.1) as $top
| ([$ours[].n, $theirs[].n, 1] | max) as $right
| def x: 60 + . / $right * 500 | round;
  def y: 320 - . / $top * 290 | round;
  def line($points; $colour; $name):
        "<polyline fill=\"none\" stroke=\"\($colour)\" stroke-width=\"2\" points=\"\([$points[] | "\(.n | x),\(.s | y)"] | join(" "))\"/>",
        ($points[] | "<circle cx=\"\(.n | x)\" cy=\"\(.s | y)\" r=\"3\" fill=\"\($colour)\"><title>\(.n) boards: \(.s) s</title></circle>"),
        (if $points != [] then "<text x=\"\($points[-1].n | x + 6)\" y=\"\($points[-1].s | y + 4)\" fill=\"\($colour)\">\($name)</text>" else empty end);
  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 660 360\" font-family=\"sans-serif\" font-size=\"12\">",
  "<path d=\"M60 20V320H570\" fill=\"none\" stroke=\"black\"/>",
  (range(0; 6) | . / 5 * $top | "<text x=\"54\" y=\"\(y + 4)\" text-anchor=\"end\">\(round)</text><path d=\"M56 \(y)H60\" stroke=\"black\"/>"),
  ($ours[] | "<text x=\"\(.n | x)\" y=\"336\" text-anchor=\"middle\">\(.n)</text>"),
  "<text x=\"310\" y=\"354\" text-anchor=\"middle\">boards at once</text>",
  "<text x=\"60\" y=\"14\">seconds from the first plug to the last verdict</text>",
  line($ours; "#06c"; "espdfu"), line($theirs; "#c30"; "dfu-util"),
  "</svg>"
