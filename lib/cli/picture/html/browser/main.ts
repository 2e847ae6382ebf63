// Where the script of the HTML page begins.
import { DATA } from './data.js';
import { Page } from './page.js';

new Page(DATA.files).run();
