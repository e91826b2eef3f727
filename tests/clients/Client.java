// Does the same as client.py, with java.net.http.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Client {
    private static final Pattern HEADER = Pattern.compile("\"([^\"]+)\": *\"([^\"]*)\"");

    public static void main(String[] arguments) throws Exception {
        int times = Integer.parseInt(arguments[0]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] part = line.split("\t");
            byte[] body = new byte[Integer.parseInt(part[4])];
            Arrays.fill(body, (byte) ' ');
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(part[2]))
                    .version(HttpClient.Version.HTTP_1_1)
                    .timeout(Duration.ofSeconds(3))
                    .method(part[1], HttpRequest.BodyPublishers.ofByteArray(body));
            Matcher header = HEADER.matcher(part[3]);
            while (header.find()) {
                request.header(header.group(1), header.group(2));
            }
            int received = 0;
            String lost = "";
            HttpClient client = HttpClient.newHttpClient();
            for (int i = 0; i < times; i++) {
                try {
                    HttpResponse<String> answer =
                            client.send(request.build(), HttpResponse.BodyHandlers.ofString());
                    received += answer.statusCode() == Integer.parseInt(part[5]) ? 1 : 0;
                } catch (Exception error) {
                    lost = error.getClass().getSimpleName() + ": " + error.getMessage();
                }
            }
            System.out.println(part[0] + "\t" + received + "\t" + lost);
        }
    }
}
